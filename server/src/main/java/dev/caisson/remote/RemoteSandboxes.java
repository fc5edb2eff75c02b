package dev.caisson.remote;

import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.link.Link;
import dev.caisson.link.LinkException;
import dev.caisson.link.LinkLimits;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.NodeStatus;
import dev.caisson.sandbox.PortConnection;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TerminalSize;
import dev.caisson.sandbox.Usage;
import dev.caisson.sandbox.UsageSample;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;

/// A node's [Sandboxes], asked over its unix socket.
///
/// A link that broke is made anew with the next call, which waits a while for a node that is coming back. A call under way when it breaks fails with
/// [Failure.Code#NODE_UNREACHABLE]: whether it was done is not known.
/// Threads: safe for many. Cleanup: close ends the link and every call on it.
public final class RemoteSandboxes implements Sandboxes, AutoCloseable {
    /// Most bytes of input in one call.
    static final int INPUT_PART = 64 * 1024;
    private static final Duration RECONNECT_PATIENCE = Duration.ofSeconds(5);
    private static final Duration RECONNECT_PAUSE = Duration.ofMillis(50);

    private final Path socket;
    private final ReentrantLock connecting = new ReentrantLock();
    private @Nullable Link link;
    private boolean closed;

    private RemoteSandboxes(Path socket) {
        this.socket = socket;
    }

    /// Connects when first asked.
    public static RemoteSandboxes connect(Path nodeSocket) {
        return new RemoteSandboxes(nodeSocket);
    }

    @Override
    public SandboxInfo create(SandboxSpec spec) {
        return ask(Call.CREATE, out -> {
            out.writeName("spec");
            Forms.SANDBOX_SPEC.write(spec, out);
        }, stream -> Answer.one(stream, Forms.SANDBOX_INFO));
    }

    @Override
    public SandboxInfo get(SandboxId id) {
        return ask(Call.GET, about(id), stream -> Answer.one(stream, Forms.SANDBOX_INFO));
    }

    @Override
    public List<SandboxInfo> list() {
        return ask(Call.LIST, nothing(), stream -> Answer.many(stream, Forms.SANDBOX_INFO));
    }

    @Override
    public CommandStream run(SandboxId id, CommandSpec command) {
        return keep(Call.RUN, about(id).andThen(out -> {
            out.writeName("command");
            Forms.COMMAND_SPEC.write(command, out);
        }), stream -> RemoteCommand.started(stream, 0, 0));
    }

    @Override
    public CommandStream attach(SandboxId id, CommandId command, long stdoutOffset, long stderrOffset) {
        return keep(Call.ATTACH, about(id, command).andThen(out -> {
            out.writeNumberProperty("stdout_offset", stdoutOffset);
            out.writeNumberProperty("stderr_offset", stderrOffset);
        }), stream -> RemoteCommand.started(stream, stdoutOffset, stderrOffset));
    }

    @Override
    public void input(SandboxId id, CommandId command, ByteBuffer data, boolean end) {
        var rest = data.slice();
        do {
            var part = rest.slice(rest.position(), Math.min(rest.remaining(), INPUT_PART));
            rest.position(rest.position() + part.remaining());
            boolean last = !rest.hasRemaining();
            ask(Call.INPUT, about(id, command).andThen(out -> out.writeBooleanProperty("end", end && last)), stream -> {
                stream.write(1, part);
                stream.end(1);
                return Answer.next(stream);
            });
        } while (rest.hasRemaining());
    }

    @Override
    public List<CommandInfo> commands(SandboxId id) {
        return ask(Call.COMMANDS, about(id), stream -> Answer.many(stream, Forms.COMMAND_INFO));
    }

    @Override
    public void signal(SandboxId id, CommandId command, int signal) {
        ask(Call.SIGNAL, about(id, command).andThen(out -> out.writeNumberProperty("signal", signal)), Answer::next);
    }

    @Override
    public void resize(SandboxId id, CommandId command, TerminalSize size) {
        ask(Call.RESIZE, about(id, command).andThen(out -> {
            out.writeName("size");
            Forms.TERMINAL_SIZE.write(size, out);
        }), Answer::next);
    }

    @Override
    public Files files(SandboxId id, Files.Rights rights) {
        return new RemoteFiles(this, id, rights);
    }

    @Override
    public PortConnection dial(SandboxId id, int port) {
        return keep(Call.DIAL, about(id).andThen(out -> out.writeNumberProperty("port", port)), RemotePort::connected);
    }

    @Override
    public SandboxInfo pause(SandboxId id) {
        return ask(Call.PAUSE, about(id), stream -> Answer.one(stream, Forms.SANDBOX_INFO));
    }

    @Override
    public SandboxInfo resume(SandboxId id, Duration lease) {
        return ask(Call.RESUME, about(id).andThen(out -> Json.writeSeconds(out, "lease_seconds", lease)), stream -> Answer.one(stream, Forms.SANDBOX_INFO));
    }

    @Override
    public List<UsageSample> samples(SandboxId id, Instant from, Instant to) {
        return ask(Call.SAMPLES, about(id).andThen(out -> {
            out.writeStringProperty("from", from.toString());
            out.writeStringProperty("to", to.toString());
        }), stream -> Answer.many(stream, Forms.USAGE_SAMPLE));
    }

    @Override
    public Usage usage(SandboxId id) {
        return ask(Call.USAGE, about(id), stream -> Answer.one(stream, Forms.USAGE));
    }

    @Override
    public SandboxInfo setEgress(SandboxId id, Egress egress) {
        return ask(Call.SET_EGRESS, about(id).andThen(out -> {
            out.writeName("egress");
            Forms.EGRESS.write(egress, out);
        }), stream -> Answer.one(stream, Forms.SANDBOX_INFO));
    }

    @Override
    public List<Flow> flows(SandboxId id, long after, int limit) {
        return ask(Call.FLOWS, about(id).andThen(out -> {
            out.writeNumberProperty("after", after);
            out.writeNumberProperty("limit", Math.clamp(limit, 1, 1000));
        }), stream -> Answer.many(stream, Forms.FLOW));
    }

    @Override
    public SandboxInfo renew(SandboxId id, Duration lease) {
        return ask(Call.RENEW, about(id).andThen(out -> Json.writeSeconds(out, "lease_seconds", lease)), stream -> Answer.one(stream, Forms.SANDBOX_INFO));
    }

    @Override
    public Receipt delete(SandboxId id) {
        return ask(Call.DELETE, about(id), stream -> Answer.one(stream, Forms.RECEIPT));
    }

    @Override
    public Receipt receipt(SandboxId id) {
        return ask(Call.RECEIPT, about(id), stream -> Answer.one(stream, Forms.RECEIPT));
    }

    @Override
    public List<Receipt> receipts(String tenant, int limit) {
        return ask(Call.RECEIPTS, out -> {
            out.writeStringProperty("tenant", tenant);
            out.writeNumberProperty("limit", Math.clamp(limit, 1, 1000));
        }, stream -> Answer.many(stream, Forms.RECEIPT));
    }

    @Override
    public List<TemplateInfo> templates() {
        return ask(Call.TEMPLATES, nothing(), stream -> Answer.many(stream, Forms.TEMPLATE_INFO));
    }

    @Override
    public NodeStatus status() {
        return ask(Call.STATUS, nothing(), stream -> Answer.one(stream, Forms.NODE_STATUS));
    }

    /// Ends every sandbox of the node and waits for their receipts.
    public void deleteAll() {
        ask(Call.DELETE_ALL, nothing(), Answer::next);
    }

    @Override
    public void close() {
        connecting.lock();
        try {
            closed = true;
            if (link != null) {
                link.close();
            }
        } finally {
            connecting.unlock();
        }
    }

    static Consumer<JsonGenerator> nothing() {
        return _ -> {};
    }

    static Consumer<JsonGenerator> about(SandboxId id) {
        return out -> out.writeStringProperty("sandbox", id.value());
    }

    private static Consumer<JsonGenerator> about(SandboxId id, CommandId command) {
        return about(id).andThen(out -> out.writeStringProperty("id", command.value()));
    }

    @FunctionalInterface
    interface Reading<T> {
        T read(LinkStream stream) throws LinkException, InterruptedException;
    }

    /// A call with an answer: the stream ends with it.
    <T> T ask(Call call, Consumer<JsonGenerator> keys, Reading<T> reading) {
        return keep(call, keys, stream -> {
            try (stream) {
                T answer = reading.read(stream);
                stream.awaitClose();
                stream.finish();
                return answer;
            }
        });
    }

    /// A call whose stream lives on in what is read.
    <T> T keep(Call call, Consumer<JsonGenerator> keys, Reading<T> reading) {
        byte[] opening = Json.object(out -> {
            out.writeStringProperty("call", Json.label(call));
            keys.accept(out);
        });
        if (opening.length > LinkLimits.INTERNAL.maxMessageBytes()) {
            throw Failure.Code.OUT_OF_RANGE.with("the request is " + opening.length + " bytes long", "at most 1 MiB goes into one request; pass the rest through stdin or a file");
        }
        try {
            LinkStream stream = link().open(opening);
            try {
                return reading.read(stream);
            } catch (LinkException | InterruptedException | RuntimeException e) {
                stream.close();
                throw e;
            }
        } catch (LinkException e) {
            throw Answer.unreachable(String.valueOf(e.getMessage()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Answer.unreachable("interrupted", e);
        }
    }

    private Link link() throws LinkException, InterruptedException {
        connecting.lockInterruptibly();
        try {
            long deadline = System.nanoTime() + RECONNECT_PATIENCE.toNanos();
            while (link == null || link.over().isPresent()) {
                if (closed) {
                    throw new LinkException("closed");
                }
                try {
                    link = Link.start(SocketChannel.open(UnixDomainSocketAddress.of(socket)), Link.Side.DIALED, LinkLimits.INTERNAL, null, "node");
                } catch (IOException e) {
                    if (System.nanoTime() - deadline >= 0) {
                        throw new LinkException("cannot connect to " + socket + ": " + e.getMessage(), e);
                    }
                    Thread.sleep(RECONNECT_PAUSE);
                }
            }
            return link;
        } finally {
            connecting.unlock();
        }
    }
}
