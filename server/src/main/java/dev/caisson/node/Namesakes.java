package dev.caisson.node;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxSpec;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Which living sandbox was made with which idempotency key. The keys are in the journal with their specs, so a node that comes back knows them.
///
/// Threads: safe for many.
final class Namesakes {
    private record Name(String tenant, String key) {
        static Name of(SandboxSpec spec) {
            return new Name(spec.tenant(), spec.idempotencyKey());
        }
    }

    /// Empty when it came to nothing before there was a keeper.
    private record Made(@Nullable Keeper keeper) {}

    private final ConcurrentHashMap<Name, CompletableFuture<Made>> made = new ConcurrentHashMap<>();

    @FunctionalInterface
    interface Making {
        Keeper make(Consumer<Keeper> whenMade) throws InterruptedException;
    }

    /// Takes note of one that was found alive.
    void keep(Keeper keeper) {
        if (!keeper.entry().spec().idempotencyKey().isEmpty()) {
            made.put(Name.of(keeper.entry().spec()), CompletableFuture.completedFuture(new Made(keeper)));
        }
    }

    /// The living one of that tenant and key, or a new one; of many who ask at once, one makes it.
    ///
    /// Errors: [Failure.Code#IDEMPOTENCY_MISMATCH] when the key stands for another spec.
    Keeper oneOf(SandboxSpec spec, Making making) throws InterruptedException {
        var name = Name.of(spec);
        while (true) {
            var mine = new CompletableFuture<Made>();
            var theirs = made.putIfAbsent(name, mine);
            if (theirs == null) {
                try {
                    return making.make(keeper -> mine.complete(new Made(keeper)));
                } finally {
                    if (mine.complete(new Made(null))) {
                        made.remove(name, mine);
                    }
                }
            }
            Keeper keeper = get(theirs).keeper();
            if (keeper == null || !keeper.isLiving()) {
                made.remove(name, theirs);
            } else if (!keeper.entry().spec().equals(spec)) {
                throw Failure.Code.IDEMPOTENCY_MISMATCH.with(
                        "the idempotency key '" + spec.idempotencyKey() + "' stands for sandbox " + keeper.entry().id() + ", which was asked for differently",
                        "use a new key for another sandbox, or ask for the same again");
            } else {
                return keeper;
            }
        }
    }

    private static Made get(CompletableFuture<Made> future) throws InterruptedException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("it is never completed so", e);
        }
    }

    /// It is over.
    void forget(Keeper keeper) {
        if (!keeper.entry().spec().idempotencyKey().isEmpty()) {
            made.computeIfPresent(Name.of(keeper.entry().spec()), (_, one) -> one.isDone() && one.join().keeper() == keeper ? null : one);
        }
    }
}
