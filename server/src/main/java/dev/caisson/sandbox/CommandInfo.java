package dev.caisson.sandbox;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A command of a sandbox, running or ended.
///
/// @param pid as seen inside the sandbox
/// @param started by the host's clock
/// @param result empty while it runs
/// @param cwd as it was asked for, empty for the user's home
/// @param env what was asked for on top of the sandbox's own; empty once it has ended
/// @param tag as it was asked for
/// @param terminal true when it has a pseudo-terminal
public record CommandInfo(CommandId id, List<String> argv, int pid, Instant started, Optional<CommandResult> result, String cwd, Map<String, String> env, String tag, boolean terminal) {
    public CommandInfo {
        argv = List.copyOf(argv);
        env = Map.copyOf(env);
    }
}
