package dev.caisson.edge;

import dev.caisson.policy.Waking;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Sandboxes;
import java.util.LinkedHashMap;
import java.util.Map;

/// What the makers of sandboxes said of requests from outside, remembered: ids are never used again, so what was true stays true.
///
/// Threads: safe for many.
final class KnownSandboxes {
    private static final int REMEMBERED = 4_096;

    private final Sandboxes sandboxes;
    private final Map<SandboxId, Traits> known = new LinkedHashMap<>(64, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<SandboxId, Traits> eldest) {
            return size() > REMEMBERED;
        }
    };

    KnownSandboxes(Sandboxes sandboxes) {
        this.sandboxes = sandboxes;
    }

    /// @param open its ports are for everybody
    /// @param wakes a request resumes it when it is paused
    record Traits(boolean open, boolean wakes) {}

    /// Errors: of [Sandboxes#get], the first time.
    Traits of(SandboxId id) {
        synchronized (known) {
            Traits traits = known.get(id);
            if (traits != null) {
                return traits;
            }
        }
        SandboxSpec spec = sandboxes.get(id).spec();
        var traits = new Traits(spec.publicPorts(), Waking.isWanted(spec));
        synchronized (known) {
            known.put(id, traits);
        }
        return traits;
    }

    /// It has ended.
    void forget(SandboxId id) {
        synchronized (known) {
            known.remove(id);
        }
    }
}
