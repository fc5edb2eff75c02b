package dev.caisson.api.e2b;

import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Sandboxes;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;

/// The commands of a sandbox as clients name them: by process number or by tag.
final class GuestCommands {
    private final Sandboxes sandboxes;

    GuestCommands(Sandboxes sandboxes) {
        this.sandboxes = sandboxes;
    }

    List<CommandInfo> running(SandboxId id) {
        return sandboxes.commands(id).stream().filter(info -> info.result().isEmpty()).toList();
    }

    /// The one that a message's `process` selects; of several with one number the running one, then the newest.
    ///
    /// Errors: [RpcCode#NOT_FOUND].
    CommandInfo find(SandboxId id, ProtoObject in) {
        ProtoObject selector = in.required("process");
        if (selector.has("tag")) {
            String tag = selector.text("tag");
            return newest(id, info -> info.tag().equals(tag), "process with tag " + Failure.shown(tag) + " not found");
        }
        long pid = selector.whole("pid");
        return newest(id, info -> info.pid() == pid, "process with pid " + pid + " not found");
    }

    /// The same, if it runs.
    CommandInfo findRunning(SandboxId id, ProtoObject in) {
        CommandInfo found = find(id, in);
        if (found.result().isPresent()) {
            throw new RpcException(RpcCode.NOT_FOUND, "process with pid " + found.pid() + " not found");
        }
        return found;
    }

    private CommandInfo newest(SandboxId id, Predicate<CommandInfo> wanted, String absent) {
        return sandboxes.commands(id).stream().filter(wanted)
                .max(Comparator.comparing((CommandInfo info) -> info.result().isEmpty()).thenComparing(info -> info.id().number()))
                .orElseThrow(() -> new RpcException(RpcCode.NOT_FOUND, absent));
    }
}
