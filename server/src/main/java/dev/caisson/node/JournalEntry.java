package dev.caisson.node;

import dev.caisson.host.Home;
import dev.caisson.runtime.Boot;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/// What the journal knows of one sandbox that is not over.
///
/// @param deadlineNanos end of the lease in [Uptime]; of a paused one, when it is deleted
/// @param createMillis 0 until its agent has said hello
/// @param pausedNanos since when it is paused, in [Uptime]
/// @param endReason present once its end has been decided
/// @param resources in the order of acquisition
record JournalEntry(
        SandboxId id,
        SandboxSpec spec,
        String imageDigest,
        SandboxState state,
        int slot,
        Instant created,
        long deadlineNanos,
        String bootId,
        long createMillis,
        OptionalLong pausedNanos,
        Optional<EndReason> endReason,
        List<Resource> resources,
        List<StartedCommand> commands) {

    /// As its driver wants to be asked about it; its image is mounted since it was booted, which will not happen again.
    Boot boot(Home home) {
        return new Boot(id, spec, home.sandbox(id.value()), home.cgroup(id.value()), home.agentSocket(id.value()), slot, network(), Boot.Content.of(image(home)));
    }

    private Boot.Image image(Home home) {
        return new Boot.Image(imageDigest, home.image(), home.image());
    }

    /// Where its network namespace is bound.
    Path network() {
        return resources.stream().filter(resource -> resource.kind() == ResourceKind.NETWORK_NAMESPACE).map(resource -> Path.of(resource.name())).findFirst()
                .orElseThrow(() -> new IllegalStateException("sandbox " + id + " has no network namespace"));
    }

    /// True when the end of its lease pauses it.
    boolean isPausedAtLeaseEnd() {
        return state == SandboxState.RUNNING && spec.onLeaseEnd() == SandboxSpec.OnLeaseEnd.PAUSE;
    }

    /// @param outputLimitBytes most it may write
    record StartedCommand(CommandId id, List<String> argv, long startedNanos, long deadlineNanos, long outputLimitBytes) {
        /// Ended later by the time for which it was frozen.
        StartedCommand later(long nanos) {
            return new StartedCommand(id, argv, startedNanos, deadlineNanos + nanos, outputLimitBytes);
        }
    }
}
