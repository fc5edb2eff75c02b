package dev.caisson.node;

import dev.caisson.guest.HeldCommand;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandSpec.Unread;
import java.util.Map;

/// What is told of a command beside its argv. Kept in memory: a node that took the command up from an earlier one knows only what the agent keeps of it.
///
/// @param cwd as it was asked for
/// @param env what was asked for on top of the sandbox's own
/// @param drops true when its output does not wait while nobody is attached
record CommandTraits(String cwd, Map<String, String> env, String tag, boolean terminal, boolean drops) {
    static CommandTraits of(CommandSpec spec) {
        return new CommandTraits(spec.cwd(), spec.env(), spec.tag(), spec.terminal().isPresent(), spec.unread() == Unread.DROP);
    }

    static CommandTraits of(HeldCommand held) {
        return new CommandTraits("", Map.of(), held.tag(), held.terminal(), held.dropsUnread());
    }

    /// An environment can be large, and nobody asks for it once the command is over.
    CommandTraits ended() {
        return new CommandTraits(cwd, Map.of(), tag, terminal, drops);
    }
}
