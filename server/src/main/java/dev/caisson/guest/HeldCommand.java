package dev.caisson.guest;

import dev.caisson.guest.wire.Command;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.Failure;
import java.util.List;
import java.util.Optional;

/// A command that an agent says it holds.
///
/// @param exit present when it has ended
/// @param tag as it was started with
/// @param dropsUnread its output does not wait while nobody is attached
public record HeldCommand(CommandId id, int pid, List<String> argv, Optional<GuestEvent.Exited> exit, String tag, boolean dropsUnread, boolean terminal) {
    /// Most arguments shown of a command.
    private static final int MAX_SHOWN = 256;

    static Optional<HeldCommand> of(Command wire) {
        if (wire.getId() <= 0) {
            return Optional.empty();
        }
        var argv = wire.getArgvList().stream().limit(MAX_SHOWN).map(bytes -> bytes.toStringUtf8()).toList();
        return Optional.of(new HeldCommand(CommandId.of(wire.getId()), wire.getPid(), argv, wire.hasExited() ? Optional.of(Replies.exit(wire.getExited())) : Optional.empty(),
                Failure.shown(wire.getTag(), CommandSpec.MAX_TAG_CHARS), wire.getDropUnread(), wire.getTerminal()));
    }
}
