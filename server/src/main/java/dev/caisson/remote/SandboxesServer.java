package dev.caisson.remote;

import dev.caisson.json.FailureMessage;
import dev.caisson.json.Form;
import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.link.ChannelInput;
import dev.caisson.link.Incoming;
import dev.caisson.link.LinkException;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.PortConnection;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Sandboxes;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.List;

/// Serves a [Sandboxes] to the other side of a link: one stream a call, one virtual thread a stream.
///
/// Threads: safe for many.
public final class SandboxesServer {
    /// Elements of a list that go into one message: the largest (a receipt) stay far below its bound.
    private static final int BATCH = 64;
    private static final byte[] NOTHING = {'{', '}'};

    private final Sandboxes sandboxes;
    private final Shutdown shutdown;

    /// Ends all sandboxes, for an operator's `down`.
    @FunctionalInterface
    public interface Shutdown {
        void deleteAll() throws InterruptedException;
    }

    public SandboxesServer(Sandboxes sandboxes, Shutdown shutdown) {
        this.sandboxes = sandboxes;
        this.shutdown = shutdown;
    }

    /// Answers one call; a [dev.caisson.link.Link.Acceptor].
    public void accept(LinkStream stream, byte[] opening) throws IOException, InterruptedException {
        try {
            answer(stream, JsonObject.parse(opening));
        } catch (SandboxException e) {
            stream.sendLast(FailureMessage.of(e.failure()));
        } catch (RuntimeException e) {
            System.getLogger(SandboxesServer.class.getName()).log(System.Logger.Level.ERROR, "a call failed", e);
            stream.sendLast(FailureMessage.of(new Failure(Failure.Code.INTERNAL, "the node failed: " + e, "report this with the node's log")));
        }
    }

    private void answer(LinkStream stream, JsonObject ask) throws IOException, InterruptedException {
        Call call = ask.word("call", Call.class);
        switch (call) {
            case CREATE -> one(stream, Forms.SANDBOX_INFO, sandboxes.create(ask.object("spec", Forms.SANDBOX_SPEC)));
            case GET -> one(stream, Forms.SANDBOX_INFO, sandboxes.get(sandbox(ask)));
            case LIST -> many(stream, Forms.SANDBOX_INFO, sandboxes.list());
            case RUN -> {
                var spec = ask.object("command", Forms.COMMAND_SPEC);
                relay(stream, sandboxes.run(sandbox(ask), spec), spec.stdin(), 0, 0);
            }
            case ATTACH -> {
                long stdout = ask.whole("stdout_offset", CommandStream.FROM_KEPT, Long.MAX_VALUE);
                long stderr = ask.whole("stderr_offset", CommandStream.FROM_KEPT, Long.MAX_VALUE);
                relay(stream, sandboxes.attach(sandbox(ask), command(ask), stdout, stderr), true, stdout, stderr);
            }
            case INPUT -> input(stream, sandbox(ask), command(ask), ask.truth("end"));
            case COMMANDS -> many(stream, Forms.COMMAND_INFO, sandboxes.commands(sandbox(ask)));
            case SIGNAL -> {
                sandboxes.signal(sandbox(ask), command(ask), ask.whole("signal", 1, 64));
                empty(stream);
            }
            case RESIZE -> {
                sandboxes.resize(sandbox(ask), command(ask), ask.object("size", Forms.TERMINAL_SIZE));
                empty(stream);
            }
            case DIAL -> relay(stream, sandboxes.dial(sandbox(ask), ask.whole("port", 1, 65_535)));
            case PAUSE -> one(stream, Forms.SANDBOX_INFO, sandboxes.pause(sandbox(ask)));
            case RESUME -> one(stream, Forms.SANDBOX_INFO, sandboxes.resume(sandbox(ask), ask.seconds("lease_seconds").orElseThrow()));
            case SAMPLES -> many(stream, Forms.USAGE_SAMPLE, sandboxes.samples(sandbox(ask), ask.time("from"), ask.time("to")));
            case USAGE -> one(stream, Forms.USAGE, sandboxes.usage(sandbox(ask)));
            case SET_EGRESS -> one(stream, Forms.SANDBOX_INFO, sandboxes.setEgress(sandbox(ask), ask.object("egress", Forms.EGRESS)));
            case FLOWS -> many(stream, Forms.FLOW, sandboxes.flows(sandbox(ask), ask.whole("after", 0, Long.MAX_VALUE), ask.whole("limit", 1, 1000)));
            case RENEW -> one(stream, Forms.SANDBOX_INFO, sandboxes.renew(sandbox(ask), ask.seconds("lease_seconds").orElseThrow()));
            case DELETE -> one(stream, Forms.RECEIPT, sandboxes.delete(sandbox(ask)));
            case RECEIPT -> one(stream, Forms.RECEIPT, sandboxes.receipt(sandbox(ask)));
            case RECEIPTS -> many(stream, Forms.RECEIPT, sandboxes.receipts(ask.text("tenant", ""), ask.whole("limit", 1, 1000)));
            case TEMPLATES -> many(stream, Forms.TEMPLATE_INFO, sandboxes.templates());
            case STATUS -> one(stream, Forms.NODE_STATUS, sandboxes.status());
            case DELETE_ALL -> {
                shutdown.deleteAll();
                empty(stream);
            }
            case READ_FILE, WRITE_FILE, STAT_FILE, LIST_FILES, MAKE_DIRECTORY, RENAME_FILE, REMOVE_FILE, WATCH_FILES -> files(call, stream, ask);
        }
    }

    private void files(Call call, LinkStream stream, JsonObject ask) throws IOException, InterruptedException {
        Files files = sandboxes.files(sandbox(ask), ask.word("rights", Files.Rights.class));
        String path = ask.text("path");
        String user = ask.text("user", "");
        switch (call) {
            case READ_FILE -> {
                try (InputStream bytes = files.read(path, user, ask.whole("offset", 0, Long.MAX_VALUE), ask.whole("length", 0, Long.MAX_VALUE))) {
                    accepted(stream);
                    send(bytes, stream);
                }
            }
            case WRITE_FILE -> one(stream, Forms.FILE_INFO, files.write(path, user, ask.whole("mode", -1, 07777), ask.map("metadata"), new ChannelInput(stream, 1, _ -> {
                throw new LinkException("a message among a file's bytes");
            })));
            case STAT_FILE -> one(stream, Forms.FILE_INFO, files.stat(path, user));
            case LIST_FILES -> many(stream, Forms.FILE_INFO, files.list(path, user, ask.whole("depth", 1, 64)));
            case MAKE_DIRECTORY -> {
                boolean made = files.makeDirectory(path, user);
                stream.sendLast(Json.object(out -> out.writeBooleanProperty("made", made)));
            }
            case RENAME_FILE -> one(stream, Forms.FILE_INFO, files.rename(path, ask.text("to"), user));
            case REMOVE_FILE -> {
                files.remove(path, user);
                empty(stream);
            }
            case WATCH_FILES -> watch(stream, files.watch(path, user, ask.truth("recursive", false)));
            case CREATE, GET, LIST, RUN, ATTACH, INPUT, COMMANDS, SIGNAL, RESIZE, DIAL, PAUSE, RESUME, SAMPLES, USAGE, SET_EGRESS, FLOWS, RENEW, DELETE, RECEIPT, RECEIPTS, TEMPLATES, STATUS, DELETE_ALL -> throw new IllegalStateException("not a call about files: " + call);
        }
    }

    /// A file's bytes; a failure on the way is told before the end, so that a short file never looks whole.
    private static void send(InputStream bytes, LinkStream stream) throws IOException, InterruptedException {
        byte[] block = new byte[1 << 16];
        while (true) {
            int n;
            try {
                n = bytes.read(block);
            } catch (IOException e) {
                throw e.getCause() instanceof SandboxException told ? told : Failure.Code.GUEST_FAILED.with("the file could not be read to its end: " + e.getMessage(), "read it again", e);
            }
            if (n < 0) {
                stream.end(1);
                return;
            }
            stream.write(1, ByteBuffer.wrap(block, 0, n));
        }
    }

    private static void watch(LinkStream stream, Files.FileWatch watch) throws IOException, InterruptedException {
        try (watch) {
            accepted(stream);
            // The caller ends a watch by letting go of its stream, which must wake the thread that waits for the guest.
            stream.onFailure(watch::close);
            for (var event = watch.next(); event.isPresent(); event = watch.next()) {
                stream.send(Forms.FILE_EVENT.bytes(event.get()));
            }
        }
    }

    /// What is ready together goes out together.
    private static void relay(LinkStream stream, CommandStream command, boolean takesInput, long stdoutOffset, long stderrOffset) throws IOException, InterruptedException {
        // Where the caller believes each channel to go on.
        long[] offsets = {stdoutOffset, stderrOffset};
        try (command) {
            if (takesInput) {
                Thread.ofVirtual().name("input").start(() -> relayInput(stream, command));
            } else {
                // A caller that lets go of the stream detaches, its command goes on.
                stream.onFailure(command::close);
            }
            while (true) {
                switch (command.next()) {
                    case CommandEvent.Started started -> send(stream, started, command.isReady());
                    case CommandEvent.Output output -> {
                        if (offsets[output.channel().ordinal()] != output.offset()) {
                            send(stream, output, true);
                        }
                        offsets[output.channel().ordinal()] = output.offset() + output.data().remaining();
                        stream.write(output.channel().ordinal() + 1, output.data());
                    }
                    case CommandEvent.Ended ended -> {
                        stream.sendLast(Forms.COMMAND_EVENT.bytes(ended));
                        return;
                    }
                }
            }
        }
    }

    private static void send(LinkStream stream, CommandEvent event, boolean more) throws IOException, InterruptedException {
        if (more) {
            stream.sendWithNext(Forms.COMMAND_EVENT.bytes(event));
        } else {
            stream.send(Forms.COMMAND_EVENT.bytes(event));
        }
    }

    /// Takes all of the input first, which is little, so that a caller that lets go is noticed while the command does not read.
    private void input(LinkStream stream, SandboxId id, CommandId command, boolean end) throws IOException, InterruptedException {
        var data = ByteBuffer.allocate(RemoteSandboxes.INPUT_PART);
        while (stream.next() instanceof Incoming.Data(int _, ByteBuffer bytes)) {
            if (bytes.remaining() > data.remaining()) {
                throw Failure.Code.OUT_OF_RANGE.with("more than " + data.capacity() + " bytes of input in one call", "send it in parts");
            }
            data.put(bytes);
        }
        var wait = new OneWait();
        stream.onFailure(wait::breakOff);
        try {
            sandboxes.input(id, command, data.flip(), end);
        } finally {
            wait.end();
        }
        empty(stream);
    }

    /// A port's bytes, each way on a thread of its own. Whoever lets go cuts the connection.
    private static void relay(LinkStream stream, PortConnection port) throws IOException, InterruptedException {
        try (port) {
            accepted(stream);
            Thread input = Thread.ofVirtual().name("port").start(() -> relayInput(stream, port));
            for (var bytes = port.next(); bytes.isPresent(); bytes = port.next()) {
                stream.write(1, bytes.get());
            }
            stream.end(1);
            // The other half may still have bytes for the guest.
            input.join();
        }
    }

    private static void relayInput(LinkStream stream, PortConnection port) {
        try {
            while (true) {
                switch (stream.next()) {
                    case Incoming.Data data -> port.write(data.bytes());
                    case Incoming.End _ -> port.finish();
                    case Incoming.Message _ -> {}
                    case Incoming.Closed _ -> {
                        return;
                    }
                }
            }
        } catch (LinkException | SandboxException _) {
            port.close();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    /// Input of the caller; a caller that lets go of the stream detaches, its command goes on.
    private static void relayInput(LinkStream stream, CommandStream command) {
        try {
            while (true) {
                switch (stream.next()) {
                    case Incoming.Data data -> command.write(data.bytes());
                    case Incoming.End _ -> command.closeInput();
                    case Incoming.Message _ -> {}
                    case Incoming.Closed _ -> {
                        return;
                    }
                }
            }
        } catch (LinkException _) {
            command.close();
        } catch (SandboxException _) {
            // The command takes no more input: what still comes is let go, its output goes on.
            drain(stream, command);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private static void drain(LinkStream stream, CommandStream command) {
        try {
            stream.awaitClose();
        } catch (LinkException _) {
            command.close();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private static <T> void one(LinkStream stream, Form<T> form, T value) throws IOException, InterruptedException {
        stream.sendLast(form.bytes(value));
    }

    private static <T> void many(LinkStream stream, Form<T> form, List<T> values) throws IOException, InterruptedException {
        for (int from = 0; from < values.size(); from += BATCH) {
            var batch = values.subList(from, Math.min(values.size(), from + BATCH));
            stream.send(Json.object(out -> Json.writeList(out, "values", batch, form)));
        }
        empty(stream);
    }

    private static void empty(LinkStream stream) throws IOException, InterruptedException {
        stream.sendLast(NOTHING);
    }

    /// The call has succeeded, and what it gives follows.
    private static void accepted(LinkStream stream) throws IOException, InterruptedException {
        stream.send(NOTHING);
    }

    private static SandboxId sandbox(JsonObject ask) {
        return new SandboxId(ask.text("sandbox"));
    }

    private static CommandId command(JsonObject ask) {
        return new CommandId(ask.text("id"));
    }
}
