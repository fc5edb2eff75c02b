package dev.caisson.guest;

import dev.caisson.link.LinkException;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandSpec;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A command that a guest runs for us before it is anybody's: what it says, and how it ends, is nobody's business.
///
/// @param line for `/bin/sh -c`
/// @param user who runs it; empty means the template's default user
/// @param patience how long it may take in all
public record Errand(String line, String user, Duration patience) {
    private static final int OPEN_FILES = 4_096;

    /// Runs it to its end; the agent knows nothing of it afterwards.
    ///
    /// Errors: a [LinkException] when it takes too long, or the guest ends; a [dev.caisson.sandbox.SandboxException] when the guest has no shell or no such user.
    ///
    /// @param id of no other command that the agent holds
    public void run(Agent agent, CommandId id) throws LinkException, InterruptedException {
        var spec = new CommandSpec(List.of("/bin/sh", "-c", line), Map.of(), "/", user, Optional.empty(), patience, ByteSize.mib(1), false, "", CommandSpec.Unread.DROP, false);
        long until = System.nanoTime() + patience.toNanos();
        try (var running = agent.start(id, spec, OPEN_FILES, 0)) {
            while (!(running.next(Duration.ofNanos(until - System.nanoTime())) instanceof GuestEvent.Exited)) {
                continue;
            }
            running.finish();
        }
        agent.forget(id);
    }
}
