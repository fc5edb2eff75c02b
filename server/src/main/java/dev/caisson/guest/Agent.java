package dev.caisson.guest;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.caisson.guest.wire.Adopt;
import dev.caisson.guest.wire.Attach;
import dev.caisson.guest.wire.Commands;
import dev.caisson.guest.wire.Dial;
import dev.caisson.guest.wire.Forget;
import dev.caisson.guest.wire.Hello;
import dev.caisson.guest.wire.Input;
import dev.caisson.guest.wire.Metrics;
import dev.caisson.guest.wire.MetricsReport;
import dev.caisson.guest.wire.Reply;
import dev.caisson.guest.wire.Request;
import dev.caisson.guest.wire.Resize;
import dev.caisson.guest.wire.ResourceLimit;
import dev.caisson.guest.wire.Signal;
import dev.caisson.guest.wire.Start;
import dev.caisson.guest.wire.Terminal;
import dev.caisson.guest.wire.Welcome;
import dev.caisson.link.Link;
import dev.caisson.link.LinkException;
import dev.caisson.link.LinkLimits;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.PortConnection;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.TerminalSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The agent of one sandbox, over its link.
///
/// Errors: [LinkException] when the link is over; a refusal of the guest is a [dev.caisson.sandbox.SandboxException].
/// Threads: safe for many. Cleanup: close ends the link; the agent will dial again.
public final class Agent implements AutoCloseable {
    private static final int PROTOCOL = 1;
    /// A command may take its time to read; it ends with its sandbox at the latest.
    private static final Duration UNTIL_IT_READS = Duration.ofDays(365);

    private final Link link;
    private final boolean adopted;
    private final List<HeldCommand> held;

    private Agent(Link link, boolean adopted, List<HeldCommand> held) {
        this.link = link;
        this.adopted = adopted;
        this.held = held;
    }

    /// Exchanges greetings with an agent that has just dialed.
    ///
    /// @param grace how long the agent lives without us before it ends itself and its sandbox; whole seconds
    public static Agent greet(Link link, Duration grace, Duration atMost) throws LinkException, InterruptedException {
        Hello hello;
        try {
            hello = Hello.parseFrom(link.greeting(atMost));
        } catch (InvalidProtocolBufferException e) {
            throw new LinkException("the agent's greeting is malformed", e);
        }
        if (hello.getProtocol() != PROTOCOL) {
            throw new LinkException("the agent speaks protocol " + Integer.toUnsignedString(hello.getProtocol()) + ", we speak " + PROTOCOL);
        }
        link.greet(Welcome.newBuilder().setGraceSeconds((int) grace.toSeconds()).build().toByteArray());
        var held = hello.getCommandsList().stream().map(HeldCommand::of).flatMap(Optional::stream).toList();
        return new Agent(link, hello.getAdopted(), held);
    }

    /// The same, over a connection that has just been accepted; it is closed when they do not come to terms.
    ///
    /// @param name of the link, for people
    public static Agent greet(SocketChannel visitor, String name, Duration grace, Duration atMost) throws IOException, InterruptedException {
        Link link = Link.start(visitor, Link.Side.LISTENED, LinkLimits.STANDARD, null, name);
        try {
            return greet(link, grace, atMost);
        } catch (IOException | InterruptedException | RuntimeException e) {
            link.close();
            throw e;
        }
    }

    public Link link() {
        return link;
    }

    /// True when it was adopted before: we are the ones who came back.
    public boolean adopted() {
        return adopted;
    }

    /// Commands it held when it dialed.
    public List<HeldCommand> held() {
        return held;
    }

    /// Makes a fresh sandbox somebody's. Nothing of a caller's runs before this is acknowledged, and then all files are there.
    ///
    /// @param entropy fresh random bytes, of no other sandbox; at least [Awakening#MIN_ENTROPY] with an awakening
    /// @param awakening present for the copy of a frozen machine. It may be asked for again, with the same: what is so already is left alone
    ///
    /// Errors: a [dev.caisson.sandbox.SandboxException] that names the user there is not, the file that could not be written, or what a copy could not have for itself; nobody
    /// has been adopted then.
    public void adopt(String hostname, Map<String, String> env, String user, long timeNanos, byte[] entropy, List<SeedFile> files, Optional<Awakening> awakening)
            throws LinkException, InterruptedException {
        if (awakening.isPresent() && (entropy.length < Awakening.MIN_ENTROPY || timeNanos == 0)) {
            throw new IllegalArgumentException("the copy of a frozen machine needs the time and " + Awakening.MIN_ENTROPY + " fresh random bytes, got " + entropy.length);
        }
        var adopt = Adopt.newBuilder().setHostname(hostname).putAllEnv(env).setUser(user).setTimeNanos(timeNanos).setEntropy(ByteString.copyFrom(entropy))
                .addAllFiles(SeedFile.wire(files));
        awakening.ifPresent(copy -> adopt.setAwakening(copy.wire()));
        call(Request.newBuilder().setAdopt(adopt));
    }

    /// Starts a command and waits for its pid.
    ///
    /// @param processes RLIMIT_NPROC of the command; 0 leaves it alone
    public GuestCommand start(CommandId id, CommandSpec spec, int openFiles, int processes) throws LinkException, InterruptedException {
        var start = Start.newBuilder().setId(id.number()).putAllEnv(spec.env()).setCwd(ByteString.copyFromUtf8(spec.cwd())).setUser(spec.user()).setStdin(spec.stdin())
                .setTag(spec.tag()).setDropUnread(spec.unread() == CommandSpec.Unread.DROP).setBatched(spec.batched());
        spec.argv().forEach(argument -> start.addArgv(ByteString.copyFromUtf8(argument)));
        spec.terminal().ifPresent(size -> start.setTerminal(terminal(size)));
        start.addLimits(ResourceLimit.newBuilder().setResource(ResourceLimits.NOFILE).setValue(openFiles));
        start.addLimits(ResourceLimit.newBuilder().setResource(ResourceLimits.CORE).setValue(0));
        if (processes > 0) {
            start.addLimits(ResourceLimit.newBuilder().setResource(ResourceLimits.NPROC).setValue(processes));
        }
        return startedBy(Request.newBuilder().setStart(start));
    }

    /// One more stream of a command from these offsets on, which may be the negative ones of [dev.caisson.sandbox.CommandStream].
    public GuestCommand attach(CommandId id, long stdoutOffset, long stderrOffset) throws LinkException, InterruptedException {
        var attach = Attach.newBuilder().setId(id.number()).setStdoutOffset(stdoutOffset).setStderrOffset(stderrOffset);
        return startedBy(Request.newBuilder().setAttach(attach));
    }

    /// Gives a command input; waits until its pipe has taken it.
    public void input(CommandId id, ByteBuffer data, boolean end) throws LinkException, InterruptedException {
        var input = Input.newBuilder().setId(id.number()).setEnd(end);
        try (var stream = link.open(Request.newBuilder().setInput(input).build().toByteArray())) {
            try {
                stream.write(1, data);
                stream.end(1);
            } catch (LinkException e) {
                // Refused before the end: the refusal has arrived by now and says more.
                Replies.next(stream, Replies.PATIENCE);
                throw e;
            }
            Replies.next(stream, UNTIL_IT_READS);
            stream.finish();
        }
    }

    private GuestCommand startedBy(Request.Builder request) throws LinkException, InterruptedException {
        LinkStream stream = link.open(request.build().toByteArray());
        try {
            Reply reply = Replies.next(stream, Replies.PATIENCE);
            if (!reply.hasStarted()) {
                throw Replies.broken("did not say that the command has started", null);
            }
            var started = reply.getStarted();
            return new GuestCommand(stream, started.getPid(), Math.max(0, started.getStdoutOffset()), Math.max(0, started.getStderrOffset()));
        } catch (LinkException | InterruptedException | RuntimeException e) {
            stream.close();
            throw e;
        }
    }

    public void signal(CommandId id, int signal) throws LinkException, InterruptedException {
        call(Request.newBuilder().setSignal(Signal.newBuilder().setId(id.number()).setSignal(signal).setGroup(true)));
    }

    public void resize(CommandId id, TerminalSize size) throws LinkException, InterruptedException {
        call(Request.newBuilder().setResize(Resize.newBuilder().setId(id.number()).setTerminal(terminal(size))));
    }

    /// Lets the agent drop what it keeps of an ended command.
    public void forget(CommandId id) throws LinkException, InterruptedException {
        call(Request.newBuilder().setForget(Forget.newBuilder().setId(id.number())));
    }

    /// Commands it holds now: which there are, and which have ended; the rest is left away.
    public List<HeldCommand> commands() throws LinkException, InterruptedException {
        var reply = call(Request.newBuilder().setCommands(Commands.newBuilder().setBrief(true)));
        return reply.getCommands().getCommandsList().stream().map(HeldCommand::of).flatMap(Optional::stream).toList();
    }

    /// What the guest says of itself; for people, never for limits.
    public MetricsReport metrics() throws LinkException, InterruptedException {
        return call(Request.newBuilder().setMetrics(Metrics.getDefaultInstance())).getMetrics();
    }

    /// Connects to a port on the sandbox's own loopback.
    public PortConnection dial(int port) throws LinkException, InterruptedException {
        LinkStream stream = link.open(Request.newBuilder().setDial(Dial.newBuilder().setPort(port)).build().toByteArray());
        try {
            Replies.next(stream, Replies.PATIENCE);
            return new GuestPort(stream);
        } catch (LinkException | InterruptedException | RuntimeException e) {
            stream.close();
            throw e;
        }
    }

    /// True when something listens on a port of the sandbox's own loopback.
    public boolean listens(int port) throws LinkException, InterruptedException {
        try {
            dial(port).close();
            return true;
        } catch (SandboxException e) {
            if (e.code() != Failure.Code.PORT_CLOSED) {
                throw e;
            }
            return false;
        }
    }

    /// The sandbox's files.
    public Files files(Files.Rights rights) {
        return new GuestFiles(link, rights);
    }

    @Override
    public void close() {
        link.close();
    }

    private Reply call(Request.Builder request) throws LinkException, InterruptedException {
        return Calls.call(link, request);
    }

    private static Terminal terminal(TerminalSize size) {
        return Terminal.newBuilder().setColumns(size.columns()).setRows(size.rows()).build();
    }
}
