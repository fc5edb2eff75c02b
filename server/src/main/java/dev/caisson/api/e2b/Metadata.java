package dev.caisson.api.e2b;

import dev.caisson.policy.Quota;
import dev.caisson.sandbox.SandboxSpec;
import java.util.HashMap;
import java.util.Map;

/// A sandbox's metadata as labels of ours and back, exactly: what a caller names as we name labels of our own is kept under another name.
final class Metadata {
    /// Stands before names that callers gave and that are ours to give.
    private static final String ESCAPE = Quota.RESERVED_PREFIX + "metadata.";

    /// Set on sandboxes that a request wakes when they are paused.
    private static final String RESUMES = Quota.RESERVED_PREFIX + "e2b.auto-resume";

    private Metadata() {}

    static boolean resumes(SandboxSpec spec) {
        return spec.labels().containsKey(RESUMES);
    }

    static Map<String, String> toLabels(Map<String, String> metadata, boolean resumes) {
        var labels = new HashMap<String, String>();
        if (resumes) {
            labels.put(RESUMES, "true");
        }
        metadata.forEach((name, value) -> labels.put(name.startsWith(Quota.RESERVED_PREFIX) ? ESCAPE + name : name, value));
        return labels;
    }

    static Map<String, String> ofLabels(Map<String, String> labels) {
        var metadata = new HashMap<String, String>();
        labels.forEach((name, value) -> {
            if (name.startsWith(ESCAPE)) {
                metadata.put(name.substring(ESCAPE.length()), value);
            } else if (!name.startsWith(Quota.RESERVED_PREFIX)) {
                metadata.put(name, value);
            }
        });
        return metadata;
    }
}
