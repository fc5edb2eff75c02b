package dev.caisson.policy;

import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.Sandboxes;
import java.util.HashMap;
import java.util.Map;

/// Resumes paused sandboxes whose makers want requests to do so. Whoever asks has judged before that the request may reach the sandbox.
///
/// Threads: safe for many.
public final class Waking {
    private static final String LABEL = Quota.RESERVED_PREFIX + "auto-resume";

    private final Sandboxes sandboxes;

    public Waking(Sandboxes sandboxes) {
        this.sandboxes = sandboxes;
    }

    public static boolean isWanted(SandboxSpec spec) {
        return spec.labels().containsKey(LABEL);
    }

    /// Those labels and the wish.
    public static Map<String, String> wish(Map<String, String> labels) {
        var all = new HashMap<>(labels);
        all.put(LABEL, "true");
        return all;
    }

    /// Resumes it for as long as it was made for, if it is paused and that is wanted; answers what it is then.
    ///
    /// Errors: of [Sandboxes#get] and [Sandboxes#resume].
    public SandboxInfo wake(SandboxId id) throws InterruptedException {
        SandboxInfo info = sandboxes.get(id);
        if (info.state() != SandboxState.PAUSED || !isWanted(info.spec())) {
            return info;
        }
        try {
            return sandboxes.resume(id, info.spec().lease());
        } catch (SandboxException e) {
            // Another request may have woken it in this moment.
            SandboxInfo now = sandboxes.get(id);
            if (now.state() != SandboxState.RUNNING) {
                throw e;
            }
            return now;
        }
    }
}
