package dev.caisson.api.e2b;

import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Sandboxes;

/// What this door needs of the engine's commands and files in a way of its own.
final class Guest {
    private final Sandboxes sandboxes;

    Guest(Sandboxes sandboxes) {
        this.sandboxes = sandboxes;
    }

    /// Its files, with the rights of the guest's root; what is made belongs to the user named.
    Files files(SandboxId id) {
        return sandboxes.files(id, Files.Rights.ROOT);
    }

    /// What it writes from now on.
    CommandStream listen(SandboxId id, CommandInfo command) throws InterruptedException {
        return sandboxes.attach(id, command.id(), CommandStream.FROM_NOW, CommandStream.FROM_NOW);
    }

    /// What a link leads to; the kind itself of anything else, and of a link that leads nowhere.
    static FileInfo.Kind resolvedKind(FileInfo info) {
        return info.target().map(FileInfo.Target::kind).orElse(info.kind());
    }
}
