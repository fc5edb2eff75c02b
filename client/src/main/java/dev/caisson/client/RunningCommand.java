package dev.caisson.client;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A command under way: its output to take, its input to give, its end to wait for.
///
/// The stream may break in the middle, when the network does or the installation's processes are started again. It is then taken up where it
/// broke, at the byte, for up to 30 seconds; the command goes on meanwhile.
/// Threads: one takes the output, another may give input, any may signal.
/// Cleanup: close lets go of the stream; the command goes on until its end, its timeout or its sandbox's end.
public final class RunningCommand implements AutoCloseable {
    /// What a broken stream, not a wrong request, looks like when it is asked for again.
    private static final Set<String> PASSING = Set.of("node-unreachable", "unreachable", "guest-failed");
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final long FIRST_PAUSE_MS = 50;
    private static final long LONGEST_PAUSE_MS = 1_000;
    private static final String STREAM = "application/vnd.caisson.stream";

    private final Http http;
    private final String base;
    private final String id;
    private @Nullable Answer stream;
    private volatile @Nullable Connection connection;
    private volatile @Nullable Connection inputConnection;
    private volatile boolean ended;
    private volatile boolean closed;
    private long stdoutBytes;
    private long stderrBytes;
    private int reattached;

    private RunningCommand(Http http, String base, String id) {
        this.http = http;
        this.base = base + "/commands/" + Http.escape(id);
        this.id = id;
    }

    static RunningCommand start(Http http, String base, CommandOptions options) {
        var connection = new Connection[1];
        try {
            var answer = http.open("POST", base + "/commands", STREAM, Body.json(options.json()), Http.STREAM_TIMEOUT_MS, opened -> connection[0] = opened);
            var id = answer.header("caisson-command").orElseThrow(() -> CaissonException.badAnswer("no Caisson-Command header", null));
            var command = new RunningCommand(http, base, id);
            command.stream = answer;
            command.connection = connection[0];
            return command;
        } catch (IOException e) {
            throw http.unreachable(e);
        }
    }

    static RunningCommand attach(Http http, String base, String id, long stdoutOffset, long stderrOffset) {
        var command = new RunningCommand(http, base, id);
        command.stdoutBytes = stdoutOffset;
        command.stderrBytes = stderrOffset;
        try {
            command.open();
            return command;
        } catch (IOException e) {
            throw http.unreachable(e);
        }
    }

    /// Its name in its sandbox, such as `c1`.
    public String id() {
        return id;
    }

    /// Bytes of standard output taken so far, from the command's start.
    public long stdoutBytes() {
        return stdoutBytes;
    }

    public long stderrBytes() {
        return stderrBytes;
    }

    /// How often the stream broke and was taken up again.
    public int reattached() {
        return reattached;
    }

    /// Passes the outputs on until the command has ended.
    ///
    /// Errors: an [IOException] is one of the outputs' own. [CaissonException] `output-lost` when the stream was broken for so long that the sandbox no longer has what
    /// was missed, `unreachable` when it could not be taken up in 30 seconds, or whatever ended it.
    public CommandEnd await(Output stdout, Output stderr) throws IOException {
        var sink = new Passing(stdout, stderr);
        long deadline = 0;
        long pause = FIRST_PAUSE_MS;
        while (true) {
            long before = stdoutBytes + stderrBytes;
            @Nullable Throwable broken = null;
            try {
                pump(sink);
                if (sink.end.isPresent()) {
                    ended = true;
                    abandonInput();
                    return sink.end.get();
                }
            } catch (OutputFailed e) {
                throw e.failure;
            } catch (IOException e) {
                broken = e;
            } catch (CaissonException e) {
                if (!PASSING.contains(e.code())) {
                    throw e;
                }
                broken = e;
            }
            if (closed || Thread.currentThread().isInterrupted()) {
                throw CaissonException.interrupted(broken == null ? new InterruptedException() : broken);
            }
            if (stdoutBytes + stderrBytes > before || deadline == 0) {
                deadline = System.nanoTime() + PATIENCE.toNanos();
                pause = FIRST_PAUSE_MS;
            } else if (System.nanoTime() - deadline > 0) {
                throw gaveUp(broken);
            }
            letGo();
            pause(pause);
            pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
        }
    }

    private CaissonException gaveUp(@Nullable Throwable broken) {
        if (broken instanceof CaissonException last) {
            return last;
        }
        return http.unreachable(broken instanceof IOException last ? last : new IOException("the stream of command " + id + " ended in the middle"));
    }

    private void pump(Passing sink) throws IOException {
        var from = stream;
        if (from == null) {
            from = open();
            reattached++;
        }
        var frames = new Frames(sink);
        while (sink.end.isEmpty()) {
            var bytes = from.next();
            if (!bytes.hasRemaining()) {
                throw new IOException("the stream of command " + id + " ended in the middle");
            }
            frames.feed(bytes);
        }
        try {
            // The end of the body follows; read, so that the connection can be used again.
            from.next();
        } catch (IOException _) {
            // All that matters has come.
        }
        letGo();
    }

    private Answer open() throws IOException {
        var answer = http.open(
                "GET", base + "/stream?stdout_offset=" + stdoutBytes + "&stderr_offset=" + stderrBytes, STREAM, new Body.None(), Http.STREAM_TIMEOUT_MS,
                opened -> connection = opened);
        stream = answer;
        return answer;
    }

    private void letGo() {
        var from = stream;
        stream = null;
        if (from != null) {
            from.close();
        }
    }

    private static void pause(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw CaissonException.interrupted(e);
        }
    }

    /// Counts what came and passes it on.
    private final class Passing implements Frames.Sink {
        private final Output stdout;
        private final Output stderr;
        private Optional<CommandEnd> end = Optional.empty();

        private Passing(Output stdout, Output stderr) {
            this.stdout = stdout;
            this.stderr = stderr;
        }

        @Override
        public void event(Json.Obj event) {
            switch (event.text("event", "")) {
                case "ended" -> end = Optional.of(CommandEnd.of(event.object("result")));
                case "problem" -> throw Http.problem(event.object("problem"));
                case "output" -> {
                    if (event.text("channel", "").equals("stdout")) {
                        stdoutBytes = event.whole("offset");
                    } else {
                        stderrBytes = event.whole("offset");
                    }
                }
                default -> {
                    // `started` says nothing new; what later versions say is passed over.
                }
            }
        }

        @Override
        public void stdout(ByteBuffer bytes) {
            stdoutBytes += pass(stdout, bytes);
        }

        @Override
        public void stderr(ByteBuffer bytes) {
            stderrBytes += pass(stderr, bytes);
        }

        private static long pass(Output output, ByteBuffer bytes) {
            int count = bytes.remaining();
            try {
                output.write(bytes);
            } catch (IOException e) {
                throw new OutputFailed(e);
            }
            return count;
        }
    }

    /// Keeps a failure of the caller's own output apart from one of the connection.
    private static final class OutputFailed extends RuntimeException {
        private static final long serialVersionUID = 1L;
        private final IOException failure;

        private OutputFailed(IOException failure) {
            super(failure);
            this.failure = failure;
        }
    }

    /// Sends all that `input` brings as the command's standard input, as fast as the command reads it, and closes it then. Returns at once when the command ends.
    ///
    /// The output must be taken at the same time, by another thread.
    /// Errors: `input-lost` when the connection broke, for nobody knows how much had arrived; `wrong-state` when the command was started without input.
    public void sendInput(InputStream input) {
        byte[] first = new byte[Connection.PIECE];
        try {
            // Not opened before there is something to say: a connection without bytes is cut by many a proxy.
            int count = input.read(first);
            if (ended || closed) {
                return;
            }
            Body body = count < 0 ? new Body.None() : new Body.Stream(Arrays.copyOf(first, count), input, -1);
            try (var _ = http.open("POST", base + "/stdin?end=true", "application/json", body, 0, opened -> inputConnection = opened)) {
                return;
            }
        } catch (Connection.SourceException e) {
            throw new CaissonException("input-lost", 0, String.valueOf(e.getMessage()), "see to the program that writes the input", e);
        } catch (IOException e) {
            if (!ended && !closed) {
                throw new CaissonException("input-lost", 0, "the connection broke while input was on its way: " + e.getMessage(), "run it again", e);
            }
        } catch (CaissonException e) {
            if (!ended && !closed) {
                throw e;
            }
        }
    }

    private void abandonInput() {
        var input = inputConnection;
        if (input != null) {
            input.close();
        }
    }

    /// Sends a signal, such as `INT`, to the command's process group.
    public void signal(String name) {
        http.ask("POST", base + "/signal", Body.json(Json.object().put("signal", name).done()));
    }

    /// Changes the size of its terminal; see [CommandOptions#withTerminal].
    public void resize(int columns, int rows) {
        http.ask("POST", base + "/resize", Body.json(CommandOptions.size(columns, rows)));
    }

    @Override
    public void close() {
        boolean whole = ended;
        closed = true;
        abandonInput();
        var under = connection;
        if (!whole && under != null) {
            under.close();
        }
    }
}
