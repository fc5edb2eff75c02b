package dev.caisson.policy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Sandboxes;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/// Gives each caller the sandboxes of its tenant, and knows whose an id is.
///
/// A sandbox never changes its tenant, so an answer is kept: only the first call about an id costs a question to the node.
/// Threads: safe for many.
public final class Tenants {
    /// Ids kept; those asked for longest ago go first. Some 10 MB when full.
    static final int MAX_KEPT = 65_536;

    private final Sandboxes sandboxes;
    private final Map<SandboxId, String> kept = new LinkedHashMap<>(1024, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<SandboxId, String> eldest) {
            return size() > MAX_KEPT;
        }
    };

    public Tenants(Sandboxes sandboxes) {
        this.sandboxes = sandboxes;
    }

    /// What this caller sees: all, or its tenant's.
    public Sandboxes of(Caller caller) {
        return caller.seesAll() ? sandboxes : new TenantSandboxes(sandboxes, this, caller.tenant());
    }

    /// Refuses what this caller does not see, as if it were not there.
    ///
    /// Errors: [Failure.Code#SANDBOX_NOT_FOUND].
    public void require(Caller caller, SandboxId id) {
        if (!caller.seesAll() && !owner(id).filter(caller.tenant()::equals).isPresent()) {
            throw unknown(id);
        }
    }

    static SandboxException unknown(SandboxId id) {
        return Failure.Code.SANDBOX_NOT_FOUND.with("there is no sandbox " + id, "list them with `caisson ps`");
    }

    /// Whose it is or was; empty when there is no trace of it.
    Optional<String> owner(SandboxId id) {
        synchronized (kept) {
            String known = kept.get(id);
            if (known != null) {
                return Optional.of(known);
            }
        }
        Optional<String> found = found(() -> sandboxes.get(id).spec().tenant()).or(() -> found(() -> sandboxes.receipt(id).tenant()));
        found.ifPresent(tenant -> keep(id, tenant));
        return found;
    }

    void keep(SandboxId id, String tenant) {
        synchronized (kept) {
            kept.put(id, tenant);
        }
    }

    @FunctionalInterface
    private interface Question {
        String ask();
    }

    private static Optional<String> found(Question question) {
        try {
            return Optional.of(question.ask());
        } catch (SandboxException e) {
            if (e.code().category() == Failure.Category.NOT_FOUND) {
                return Optional.empty();
            }
            throw e;
        }
    }
}
