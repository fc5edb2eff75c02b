package dev.caisson.node;

import dev.caisson.egress.Registration;
import dev.caisson.egress.TrustSeeds;
import dev.caisson.host.NetworkPlug;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// What one sandbox may reach, kept alike in the journal, in the gateway and in the kernel's rules.
///
/// Order matters: what is taken away is taken in the kernel first, what is given is given there last.
/// Threads: safe for many; of two changes the later one stays, in the row and in the gateway.
final class WayOut {
    private final Machine machine;
    private final JournalEntry entry;
    private final ReentrantLock changing = new ReentrantLock();
    private @Nullable FutureTask<Boolean> opening;
    private volatile boolean closed;
    private volatile Egress egress;
    private volatile Optional<TrustSeeds> trust = Optional.empty();

    WayOut(Machine machine, JournalEntry entry) {
        this.machine = machine;
        this.entry = entry;
        this.egress = entry.spec().egress();
    }

    Egress egress() {
        return egress;
    }

    /// What it needs to trust its own authority; nothing where none of its TLS was opened when it was made.
    Optional<TrustSeeds> trust() {
        return trust;
    }

    /// For a new sandbox: begins to open it, while the wall is built. [#awaitOpen] says how that went.
    void begin() {
        opening = new FutureTask<>(() -> {
            open();
            return true;
        });
        Thread.ofVirtual().name("way-out-" + entry.id()).start(opening);
    }

    /// Waits until it is open. Nothing of a caller's may run before.
    ///
    /// Errors: [Failure.Code#EGRESS_UNAVAILABLE], and an [IOException] of the kernel's.
    void awaitOpen() throws IOException, InterruptedException {
        try {
            if (opening != null) {
                opening.get();
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof SandboxException known) {
                throw known;
            }
            if (e.getCause() instanceof IOException io) {
                throw io;
            }
            throw new IllegalStateException("the way out of sandbox " + entry.id(), e.getCause());
        }
    }

    private void open() throws IOException, InterruptedException {
        Optional<Registration> registration = registration(egress);
        if (registration.isPresent() && egress.isNone()) {
            machine.gateway().registerSoon(registration.get());
        } else if (registration.isPresent()) {
            trust = machine.gateway().register(registration.get());
            if (egress.reachesAddresses()) {
                machine.plugs().reachesAddresses(entry.network(), true);
            }
        }
    }

    /// For one that an earlier node has left: the gateway hears of it when it is told of all.
    void remember() {
        registration(egress).ifPresent(machine.gateway()::registerSoon);
    }

    /// An earlier node may have been killed between the row and what it says.
    void openAgain() throws IOException {
        if (registration(egress).isPresent()) {
            machine.plugs().reachesAddresses(entry.network(), egress.reachesAddresses());
        }
    }

    /// Errors: [Failure.Code#EGRESS_UNAVAILABLE] when the gateway cannot be told; it is, as soon as it is there. Any other: nothing has changed.
    /// Returns false when the sandbox has ended; then nothing has changed either.
    boolean change(Egress other) throws InterruptedException {
        changing.lockInterruptibly();
        try {
            if (closed) {
                return false;
            }
            changeNow(other);
            return true;
        } finally {
            changing.unlock();
        }
    }

    private void changeNow(Egress other) throws InterruptedException {
        Egress before = egress;
        become(other);
        Optional<Registration> registration = registration(other);
        if (registration.isEmpty()) {
            return;
        }
        try {
            if (!other.reachesAddresses()) {
                machine.plugs().reachesAddresses(entry.network(), false);
            }
            register(registration.get(), before);
            if (other.reachesAddresses()) {
                machine.plugs().reachesAddresses(entry.network(), true);
            }
        } catch (IOException e) {
            throw Failure.Code.EGRESS_UNAVAILABLE.with("the network of sandbox " + entry.id() + " cannot be changed: " + e.getMessage(), "delete the sandbox and make another one", e);
        }
    }

    private void register(Registration registration, Egress before) throws IOException, InterruptedException {
        try {
            trust = machine.gateway().register(registration);
        } catch (SandboxException e) {
            // A gateway that is not there will be told of the new rules. One that refuses them keeps the old ones.
            if (e.code() != Failure.Code.EGRESS_UNAVAILABLE) {
                become(before);
            }
            // Nobody will come back to the kernel's rules; the gateway judges whatever they let through, and without it nothing gets through.
            machine.plugs().reachesAddresses(entry.network(), egress.reachesAddresses());
            throw e;
        }
    }

    private void become(Egress other) throws InterruptedException {
        machine.journal().changed(entry.id(), entry.spec().withEgress(other));
        egress = other;
    }

    void close() throws InterruptedException {
        if (opening != null) {
            // Or it would be opened after it was closed.
            opening.cancel(true);
        }
        closed = true;
        // A change that waits for the gateway ends with this, and may have told it once more.
        machine.gateway().forget(entry.id());
        if (!changing.tryLock()) {
            changing.lockInterruptibly();
            machine.gateway().forget(entry.id());
        }
        changing.unlock();
    }

    private Optional<Registration> registration(Egress rules) {
        Optional<NetworkPlug> plug = machine.plugs().of(entry.network());
        return plug.map(at -> new Registration(entry.id(), at.address(), at.address6(), entry.created(), rules));
    }
}
