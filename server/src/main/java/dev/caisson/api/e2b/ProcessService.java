package dev.caisson.api.e2b;

import dev.caisson.json.Json;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.TerminalSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JsonGenerator;

/// `process.Process`: starts commands, and finds them again by their process number.
///
/// A client that goes away leaves its command running; what the command writes while nobody listens is dropped. `Connect-Timeout-Ms` of a start ends the command.
final class ProcessService {
    private static final String KEEPALIVE = "{\"event\":{\"keepalive\":{}}}";
    /// Output is not what bounds a command here: nothing of it is kept for nobody.
    private static final ByteSize NO_OUTPUT_LIMIT = ByteSize.gib(1 << 20);
    /// Most bytes of output in one message.
    private static final int PIECE = 96 * 1024;
    private static final int SIGKILL = 9;
    private static final int SIGTERM = 15;

    private final Sandboxes sandboxes;
    private final Guest guest;
    private final GuestCommands commands;

    ProcessService(Sandboxes sandboxes) {
        this.sandboxes = sandboxes;
        this.guest = new Guest(sandboxes);
        this.commands = new GuestCommands(sandboxes);
    }

    Map<String, Rpc.Method> methods() {
        return Map.of(
                "List", new Rpc.Method.Unary(this::list),
                "Start", new Rpc.Method.ServerStream(KEEPALIVE, this::start),
                "Connect", new Rpc.Method.ServerStream(KEEPALIVE, this::connect),
                "Update", new Rpc.Method.Unary(this::update),
                "StreamInput", new Rpc.Method.ClientStream(this::streamInput),
                "SendInput", new Rpc.Method.Unary(this::sendInput),
                "SendSignal", new Rpc.Method.Unary(this::sendSignal),
                "CloseStdin", new Rpc.Method.Unary(this::closeStdin));
    }

    private byte[] list(Session session, ProtoObject in) {
        List<CommandInfo> running = commands.running(session.id());
        return Json.object(out -> {
            out.writeArrayPropertyStart("processes");
            running.forEach(command -> write(command, out));
            out.writeEndArray();
        });
    }

    private static void write(CommandInfo command, JsonGenerator out) {
        out.writeStartObject();
        out.writeObjectPropertyStart("config");
        out.writeStringProperty("cmd", command.argv().getFirst());
        Json.writeTexts(out, "args", command.argv().subList(1, command.argv().size()));
        Json.writeMap(out, "envs", command.env());
        if (!command.cwd().isEmpty()) {
            out.writeStringProperty("cwd", command.cwd());
        }
        out.writeEndObject();
        out.writeNumberProperty("pid", command.pid());
        if (!command.tag().isEmpty()) {
            out.writeStringProperty("tag", command.tag());
        }
        out.writeEndObject();
    }

    private void start(Session session, ProtoObject in, MessageStream out) throws IOException, InterruptedException {
        CommandSpec spec = spec(session, in);
        try (CommandStream stream = started(session, spec); var deadline = new Deadline(session.timeout(), stream::close)) {
            tell(stream, out, deadline, spec.terminal().isPresent());
        }
    }

    private CommandStream started(Session session, CommandSpec spec) throws InterruptedException {
        try {
            return sandboxes.run(session.id(), spec);
        } catch (SandboxException e) {
            throw e.code() == Failure.Code.USER_NOT_FOUND ? new RpcException(RpcCode.UNAUTHENTICATED, "invalid username: '" + Failure.shown(spec.user()) + "'") : e;
        }
    }

    private CommandSpec spec(Session session, ProtoObject in) {
        ProtoObject process = in.required("process");
        var argv = new ArrayList<String>();
        argv.add(process.text("cmd"));
        argv.addAll(process.texts("args"));
        String user = session.user();
        String cwd = process.text("cwd");
        Duration timeout = session.timeout().filter(time -> time.compareTo(CommandSpec.MAX_TIMEOUT) < 0).orElse(CommandSpec.MAX_TIMEOUT);
        return new CommandSpec(
                argv, environment(session.sandbox(), process.map("envs")), cwd.isEmpty() ? "" : GuestPaths.absolute(guest.files(session.id()), cwd, user), user,
                in.child("pty").map(ProcessService::size), timeout, NO_OUTPUT_LIMIT, in.truth("stdin", true), in.text("tag"), CommandSpec.Unread.DROP, false);
    }

    /// The names that say where a process runs are ours: they count more than a caller's.
    static Map<String, String> environment(SandboxInfo sandbox, Map<String, String> own) {
        var environment = new HashMap<>(own);
        environment.put("E2B_SANDBOX", "true");
        environment.put("E2B_SANDBOX_ID", sandbox.id().value());
        environment.put("E2B_TEMPLATE_ID", sandbox.spec().template().value());
        return environment;
    }

    private static TerminalSize size(ProtoObject pty) {
        ProtoObject size = pty.required("size");
        return new TerminalSize((int) Math.min(size.whole("cols"), Integer.MAX_VALUE), (int) Math.min(size.whole("rows"), Integer.MAX_VALUE));
    }

    private void connect(Session session, ProtoObject in, MessageStream out) throws IOException, InterruptedException {
        CommandInfo command = commands.find(session.id(), in);
        try (CommandStream stream = guest.listen(session.id(), command); var deadline = new Deadline(session.timeout(), stream::close)) {
            tell(stream, out, deadline, command.terminal());
        }
    }

    private static void tell(CommandStream stream, MessageStream out, Deadline deadline, boolean terminal) throws IOException, InterruptedException {
        out.whenLost(stream::close);
        try {
            while (true) {
                switch (stream.next()) {
                    case CommandEvent.Started(_, int pid) -> out.send("{\"event\":{\"start\":{\"pid\":" + pid + "}}}");
                    case CommandEvent.Output output -> tell(output, out, terminal);
                    case CommandEvent.Ended(var result) -> {
                        tell(result, out);
                        return;
                    }
                }
            }
        } catch (SandboxException e) {
            if (deadline.isOver()) {
                throw deadlineExceeded();
            }
            throw e;
        }
    }

    private static RpcException deadlineExceeded() {
        return new RpcException(RpcCode.DEADLINE_EXCEEDED, "context deadline exceeded");
    }

    private static void tell(CommandEvent.Output output, MessageStream out, boolean terminal) throws IOException {
        String channel = terminal ? "pty" : switch (output.channel()) {
            case STDOUT -> "stdout";
            case STDERR -> "stderr";
        };
        ByteBuffer data = output.data();
        while (data.hasRemaining()) {
            int length = Math.min(data.remaining(), PIECE);
            out.sendEnvelope(Envelope.ofBytes("{\"event\":{\"data\":{\"" + channel + "\":\"", data.slice(data.position(), length), "\"}}}"));
            data.position(data.position() + length);
        }
    }

    private static void tell(CommandResult result, MessageStream out) throws IOException {
        switch (result.outcome()) {
            case TIMED_OUT -> throw deadlineExceeded();
            // Of a stream that breaks off without a word of why, clients ask /health, and tell that the sandbox was ended.
            case SANDBOX_GONE -> throw new RpcException(RpcCode.UNAVAILABLE, "the connection to the sandbox ended before the stream completed");
            case EXITED -> tell(result.status(), true, "exit status " + result.status(), out);
            case SIGNALED, KILLED -> tell(-1, false, "signal: " + signalName(result.status() - 128), out);
            case OUT_OF_MEMORY -> tell(-1, false, "signal: killed (out of memory)", out);
            case OUTPUT_LIMIT -> tell(-1, false, "signal: killed (too much output)", out);
        }
    }

    private static void tell(int code, boolean exited, String status, MessageStream out) throws IOException {
        String error = code == 0 ? "" : ",\"error\":\"" + status + "\"";
        out.send("{\"event\":{\"end\":{\"exitCode\":" + code + ",\"exited\":" + exited + ",\"status\":\"" + status + "\"" + error + "}}}");
    }

    /// As the clients' own server says them; the rest by number.
    private static String signalName(int signal) {
        return switch (signal) {
            case 1 -> "hangup";
            case 2 -> "interrupt";
            case 3 -> "quit";
            case 6 -> "aborted";
            case 8 -> "floating point exception";
            case 9 -> "killed";
            case 11 -> "segmentation fault";
            case 13 -> "broken pipe";
            case 14 -> "alarm clock";
            case 15 -> "terminated";
            default -> "signal " + signal;
        };
    }

    private byte[] update(Session session, ProtoObject in) {
        CommandInfo command = commands.findRunning(session.id(), in);
        in.child("pty").map(ProcessService::size).ifPresent(size -> sandboxes.resize(session.id(), command.id(), size));
        return Rpc.NOTHING;
    }

    private byte[] sendInput(Session session, ProtoObject in) throws InterruptedException {
        write(session, commands.findRunning(session.id(), in), in.required("input"));
        return Rpc.NOTHING;
    }

    private void write(Session session, CommandInfo command, ProtoObject input) throws InterruptedException {
        boolean pty = input.has("pty");
        if (pty != command.terminal()) {
            throw new RpcException(RpcCode.INTERNAL, pty ? "the process has no terminal: send its input as stdin" : "the process has a terminal: send its input as pty");
        }
        try {
            sandboxes.input(session.id(), command.id(), ByteBuffer.wrap(input.bytes(pty ? "pty" : "stdin")), false);
        } catch (SandboxException e) {
            if (e.code() == Failure.Code.WRONG_STATE) {
                throw new RpcException(RpcCode.INTERNAL, "error writing to stdin: " + e.failure().message());
            }
            throw e;
        }
    }

    private void streamInput(Session session, Rpc.Messages in) throws IOException, InterruptedException {
        Optional<CommandInfo> command = Optional.empty();
        for (var message = in.next(); message.isPresent(); message = in.next()) {
            Optional<ProtoObject> start = message.get().child("start");
            if (start.isPresent()) {
                command = Optional.of(commands.findRunning(session.id(), start.get()));
            }
            Optional<ProtoObject> data = message.get().child("data");
            if (data.isPresent()) {
                write(session, command.orElseThrow(() -> new RpcException(RpcCode.INVALID_ARGUMENT, "the first message must be a start")), data.get().required("input"));
            }
        }
    }

    private byte[] sendSignal(Session session, ProtoObject in) {
        int signal = switch (in.wordOrNumber("signal")) {
            case "SIGNAL_SIGKILL", "9" -> SIGKILL;
            case "SIGNAL_SIGTERM", "15" -> SIGTERM;
            default -> throw new RpcException(RpcCode.UNIMPLEMENTED, "invalid signal: only SIGNAL_SIGKILL and SIGNAL_SIGTERM are known");
        };
        sandboxes.signal(session.id(), commands.findRunning(session.id(), in).id(), signal);
        return Rpc.NOTHING;
    }

    private byte[] closeStdin(Session session, ProtoObject in) throws InterruptedException {
        CommandInfo command = commands.findRunning(session.id(), in);
        if (command.terminal()) {
            throw new RpcException(RpcCode.INTERNAL, "the process has a terminal: send it Ctrl+D (0x04) instead");
        }
        sandboxes.input(session.id(), command.id(), ByteBuffer.allocate(0), true);
        return Rpc.NOTHING;
    }
}
