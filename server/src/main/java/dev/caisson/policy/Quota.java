package dev.caisson.policy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Sandboxes;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// How many sandboxes a tenant may have at a time.
///
/// Whose a sandbox is stands in its spec, so it outlives this process. Counting is cheap: the node is asked for its list only at a tenant's first create and when the bound seems to be reached, because leases end without telling us.
/// Threads: safe for many.
public final class Quota {
    public static final int DEFAULT_SANDBOXES = 1_000;
    public static final int MAX_SANDBOXES = 100_000;
    /// Labels that start with this are ours; callers may not set them.
    public static final String RESERVED_PREFIX = "caisson.";

    private final Sandboxes sandboxes;
    private final int max;
    private final ConcurrentHashMap<String, Account> accounts = new ConcurrentHashMap<>();

    /// @param max sandboxes a tenant may have at a time, 1 to [#MAX_SANDBOXES]
    public Quota(Sandboxes sandboxes, int max) {
        if (max < 1 || max > MAX_SANDBOXES) {
            throw Failure.Code.OUT_OF_RANGE.with("a quota is 1 to " + MAX_SANDBOXES + " sandboxes, got " + max, "set it in that range");
        }
        this.sandboxes = sandboxes;
        this.max = max;
    }

    /// Makes a sandbox of the caller's tenant; whoever sees all names the tenant in the spec.
    ///
    /// Errors: [Failure.Code#TOO_MANY], and whatever the node says.
    public SandboxInfo create(Caller caller, SandboxSpec asked) throws InterruptedException {
        SandboxSpec spec = caller.seesAll() ? asked : asked.withTenant(caller.tenant());
        Account account = accounts.computeIfAbsent(spec.tenant(), Account::new);
        account.reserve(spec.idempotencyKey());
        @Nullable SandboxId made = null;
        try {
            SandboxInfo info = sandboxes.create(spec);
            made = info.id();
            return info;
        } finally {
            account.settle(made);
        }
    }

    /// Says that a sandbox is gone, so that its place is free at once.
    public void gone(SandboxId id) {
        accounts.values().forEach(account -> account.gone(id));
    }

    private final class Account {
        private final String tenant;
        private final ReentrantLock lock = new ReentrantLock();
        private final Set<SandboxId> alive = new HashSet<>();
        private boolean counted;
        private int pending;

        Account(String tenant) {
            this.tenant = tenant;
        }

        /// A create that is asked again makes nothing, so it needs no place.
        void reserve(String idempotencyKey) {
            lock.lock();
            try {
                boolean again = false;
                if (!counted || alive.size() + pending >= max) {
                    alive.clear();
                    for (SandboxInfo info : sandboxes.list()) {
                        if (info.spec().tenant().equals(tenant)) {
                            alive.add(info.id());
                            again |= !idempotencyKey.isEmpty() && info.spec().idempotencyKey().equals(idempotencyKey);
                        }
                    }
                    counted = true;
                }
                if (!again && alive.size() + pending >= max) {
                    throw Failure.Code.TOO_MANY.with("tenant " + tenant + " has " + (alive.size() + pending) + " sandboxes, and may have " + max + " at a time", "delete some, or wait for a lease to end");
                }
                pending++;
            } finally {
                lock.unlock();
            }
        }

        void settle(@Nullable SandboxId made) {
            lock.lock();
            try {
                pending--;
                if (made != null) {
                    alive.add(made);
                }
            } finally {
                lock.unlock();
            }
        }

        void gone(SandboxId id) {
            lock.lock();
            try {
                alive.remove(id);
            } finally {
                lock.unlock();
            }
        }
    }
}
