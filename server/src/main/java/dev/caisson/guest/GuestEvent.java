package dev.caisson.guest;

import dev.caisson.sandbox.CommandEvent;
import java.nio.ByteBuffer;
import java.time.Duration;

/// What a started command brings.
public sealed interface GuestEvent {
    /// @param offset bytes of that channel before these, from the command's start
    record Output(CommandEvent.Channel channel, long offset, ByteBuffer data) implements GuestEvent {}

    /// @param status exit status, when it returned
    /// @param signal what ended it, else 0
    /// @param starved what a kernel of its own says: it has killed for memory while this ran. No more than the guest's word
    record Exited(int status, int signal, Duration cpu, boolean starved) implements GuestEvent {
        private static final int SIGKILL = 9;

        /// True when it ended as one does that is killed for memory: by SIGKILL itself, or as a shell tells of its child's.
        public boolean mayBeStarved() {
            return signal == SIGKILL || status == 128 + SIGKILL;
        }
    }
}
