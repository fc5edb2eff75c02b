package dev.caisson.api.e2b;

import dev.caisson.policy.Caller;
import dev.caisson.policy.Tenants;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.Sandboxes;
import java.util.List;

/// The sandboxes a caller may know of. Another tenant's is not there, as if it never had been.
final class Owned {
    private final Sandboxes sandboxes;
    private final Caller caller;

    Owned(Tenants tenants, Caller caller) {
        this.sandboxes = tenants.of(caller);
        this.caller = caller;
    }

    /// Whose a sandbox is that this caller makes.
    String tenant() {
        return caller.seesAll() ? SandboxSpec.DEFAULT_TENANT : caller.tenant();
    }

    SandboxInfo get(String id) {
        SandboxInfo info;
        try {
            info = sandboxes.get(new SandboxId(id));
        } catch (SandboxException e) {
            throw switch (e.code()) {
                // A text that cannot be an id is no different from an unknown one.
                case BAD_REQUEST, SANDBOX_NOT_FOUND -> notFound(id);
                default -> e;
            };
        }
        if (!isAlive(info)) {
            throw notFound(id);
        }
        return info;
    }

    List<SandboxInfo> list() {
        return sandboxes.list().stream().filter(Owned::isAlive).toList();
    }

    /// One that is being made or ended is not shown: clients know of no such state.
    private static boolean isAlive(SandboxInfo info) {
        return info.state() == SandboxState.RUNNING || info.state() == SandboxState.PAUSED;
    }

    static Refusal notFound(String id) {
        return new Refusal(404, "sandbox \"" + Failure.shown(id) + "\" was not found");
    }
}
