package dev.caisson.guest;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.caisson.guest.wire.Exited;
import dev.caisson.guest.wire.Failed;
import dev.caisson.guest.wire.Reply;
import dev.caisson.link.Incoming;
import dev.caisson.link.LinkException;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.time.Duration;

/// Reads an agent's replies. Nothing in them is believed further than the sandbox they came from.
final class Replies {
    /// How long an agent may take for a call that does no long work.
    static final Duration PATIENCE = Duration.ofSeconds(30);

    private Replies() {}

    static Reply parse(byte[] message) {
        try {
            return Reply.parseFrom(message);
        } catch (InvalidProtocolBufferException e) {
            throw broken("sent a malformed reply", e);
        }
    }

    /// The next message of a stream, a failure of the guest thrown.
    static Reply next(LinkStream stream, Duration atMost) throws LinkException, InterruptedException {
        if (stream.next(atMost) instanceof Incoming.Message(byte[] bytes)) {
            return succeeded(parse(bytes));
        }
        throw broken("sent no reply", null);
    }

    static Reply succeeded(Reply reply) {
        if (reply.hasFailed()) {
            throw failure(reply.getFailed());
        }
        return reply;
    }

    static GuestEvent.Exited exit(Exited exited) {
        // A hostile guest may send any numbers; a status is a byte, a signal at most 64.
        var cpu = Duration.ofNanos(Math.clamp(exited.getCpuMicros(), 0, Long.MAX_VALUE / 1000) * 1000);
        return new GuestEvent.Exited(exited.getStatus() & 0xff, Math.floorMod(exited.getSignal(), 65), cpu, exited.getStarved());
    }

    static SandboxException broken(String what, @org.jspecify.annotations.Nullable Throwable cause) {
        return Failure.Code.GUEST_FAILED.with("the agent in the sandbox " + what, "delete the sandbox and make a new one", cause);
    }

    private static SandboxException failure(Failed failed) {
        var code = switch (failed.getCode()) {
            case NOT_FOUND -> Failure.Code.FILE_NOT_FOUND;
            case DENIED -> Failure.Code.FILE_DENIED;
            case EXISTS -> Failure.Code.FILE_EXISTS;
            case NOT_A_DIRECTORY -> Failure.Code.NOT_A_DIRECTORY;
            case IS_A_DIRECTORY -> Failure.Code.IS_A_DIRECTORY;
            case DISK_FULL -> Failure.Code.DISK_FULL;
            case PROGRAM_NOT_FOUND -> Failure.Code.PROGRAM_NOT_FOUND;
            case USER_NOT_FOUND -> Failure.Code.USER_NOT_FOUND;
            case NO_SUCH_COMMAND -> Failure.Code.COMMAND_NOT_FOUND;
            case OUTPUT_LOST -> Failure.Code.OUTPUT_LOST;
            case INVALID -> Failure.Code.BAD_REQUEST;
            case TOO_MANY -> Failure.Code.TOO_MANY;
            case CONNECTION_REFUSED -> Failure.Code.PORT_CLOSED;
            case WRONG_STATE -> Failure.Code.WRONG_STATE;
            case OTHER, UNRECOGNIZED -> Failure.Code.FILE_FAILED;
        };
        return code.with(Failure.shown(failed.getMessage(), 400), remedy(code));
    }

    private static String remedy(Failure.Code code) {
        return switch (code) {
            case FILE_NOT_FOUND -> "check the path; list its directory to see what is there";
            case FILE_DENIED -> "use a path the user may touch, or name another user";
            case DISK_FULL -> "remove files, or create the sandbox with a larger disk";
            case PROGRAM_NOT_FOUND -> "check the spelling, or use a template that has the program";
            case USER_NOT_FOUND -> "name a user of the template, such as user or root";
            case PORT_CLOSED -> "start a server on that port, or wait until it listens";
            case OUTPUT_LOST -> "attach from a later offset, or with -2 from what is kept";
            case WRONG_STATE -> "start it with stdin, and end that only once";
            default -> "correct the request";
        };
    }
}
