package dev.caisson.sandbox;

import java.nio.ByteBuffer;

/// What a command's stream brings, in order: one [Started], any number of [Output], one [Ended].
public sealed interface CommandEvent {
    record Started(CommandId id, int pid) implements CommandEvent {}

    /// Bytes as the command wrote them. `offset` counts bytes of that channel from the command's start.
    record Output(Channel channel, long offset, ByteBuffer data) implements CommandEvent {}

    record Ended(CommandResult result) implements CommandEvent {}

    /// Standard output and standard error; a terminal has only the first.
    enum Channel {
        STDOUT,
        STDERR
    }
}
