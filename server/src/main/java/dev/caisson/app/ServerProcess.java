package dev.caisson.app;

import dev.caisson.host.Home;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/// What all our processes do alike: read options, start, say `ready`, end on SIGTERM or, when tied, with the one who started them.
final class ServerProcess {
    /// Exit status when the platform, not the code it runs, has failed.
    static final int PLATFORM_FAILED = 125;

    private static final Duration TRIM_PERIOD = Duration.ofSeconds(15);
    private static final long SMALL_HEAP_BYTES = 24L << 20;

    private ServerProcess() {}

    /// @param values options with a value, without their dashes
    /// @param tie to whoever started this process
    record Options(Map<String, String> values, Tie tie) {
        static Options parse(String[] args, List<String> known) {
            var values = new HashMap<String, String>();
            boolean tied = false;
            var left = new ArrayDeque<>(List.of(args));
            while (!left.isEmpty()) {
                String option = left.removeFirst();
                String name = option.startsWith("--") ? option.substring(2) : "";
                if (name.equals("tied")) {
                    tied = true;
                } else if (known.contains(name) && !left.isEmpty()) {
                    values.put(name, left.removeFirst());
                } else {
                    throw new IllegalArgumentException("unknown or incomplete option " + option);
                }
            }
            return new Options(Map.copyOf(values), tied ? Tie.toStandardInput() : new Tie());
        }

        Home home() {
            return new Home(Path.of(required("home")));
        }

        String required(String name) {
            String value = values.get(name);
            if (value == null) {
                throw new IllegalArgumentException("option --" + name + " is missing");
            }
            return value;
        }
    }

    /// Holds a process to whoever started it, for as long as that one keeps its standard input open. One that was not tied never ends.
    static final class Tie {
        private final CountDownLatch gone = new CountDownLatch(1);

        static Tie toStandardInput() {
            var tie = new Tie();
            Thread.ofPlatform().daemon().name("tie").start(tie::read);
            return tie;
        }

        private void read() {
            try {
                while (System.in.read() >= 0) {
                    // Only its end means anything.
                }
            } catch (IOException _) {
                // As good as its end.
            }
            gone.countDown();
        }

        /// For a start that waits for something: nobody waits for it any more.
        boolean isGone() {
            return gone.getCount() == 0;
        }

        void awaitGone() throws InterruptedException {
            gone.await();
        }
    }

    /// Starts everything; what it returns ends everything. One that waits for something may give up by [InterruptedException] when its [Tie] is gone, while nothing has been made.
    @FunctionalInterface
    interface Start {
        Running start(Options options) throws IOException, InterruptedException;
    }

    @FunctionalInterface
    interface Running {
        void close() throws IOException;

        /// The one this process was tied to has gone, however it went: what was made for it goes too. Comes before [#close].
        default void abandoned() throws InterruptedException {}

        /// The line that tells the starter that all is up.
        default String ready() {
            return "ready";
        }
    }

    static void run(String[] args, Start start) {
        run(args, List.of("home"), start);
    }

    static void run(String[] args, List<String> known, Start start) {
        try {
            var options = Options.parse(args, known);
            Running running = start.start(options);
            Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().unstarted(() -> close(running)));
            System.out.println(running.ready());
            System.out.flush();
            Thread.ofPlatform().daemon().name("trim").start(ServerProcess::giveMemoryBack);
            options.tie().awaitGone();
            running.abandoned();
            System.exit(0);
        } catch (SandboxException e) {
            fail(e.getMessage(), e.failure().remedy(), e);
        } catch (IllegalArgumentException | IOException e) {
            fail(String.valueOf(e.getMessage()), "see the log above, and `caisson doctor`", e);
        } catch (RuntimeException e) {
            fail("it could not start: " + e, "report this with what is above", e);
        } catch (InterruptedException _) {
            System.exit(0);
        }
    }

    /// The serial collector shrinks the heap only when it collects all of it, which it seldom has a reason to. After a burst we give it one.
    private static void giveMemoryBack() {
        var runtime = Runtime.getRuntime();
        long calm = SMALL_HEAP_BYTES;
        try {
            while (true) {
                Thread.sleep(TRIM_PERIOD);
                if (runtime.totalMemory() > calm) {
                    System.gc();
                    // What is alive now is no reason to collect again.
                    calm = Math.max(SMALL_HEAP_BYTES, runtime.totalMemory() * 3 / 2);
                }
            }
        } catch (InterruptedException _) {
            // The process ends.
        }
    }

    private static void close(Running running) {
        try {
            running.close();
        } catch (IOException e) {
            System.err.println("warning: " + e.getMessage());
        }
    }

    private static void fail(@Nullable String message, String remedy, Exception e) {
        var causes = new ArrayList<String>();
        for (Throwable cause = e.getCause(); cause != null && causes.size() < 5; cause = cause.getCause()) {
            causes.add(cause.toString());
        }
        causes.forEach(cause -> System.err.println("caused by: " + cause));
        System.err.println("error: " + message + " (" + remedy + ")");
        // Not exit: threads that were started already must not hold the process.
        Runtime.getRuntime().halt(PLATFORM_FAILED);
    }
}
