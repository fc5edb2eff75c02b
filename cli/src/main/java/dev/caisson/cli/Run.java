package dev.caisson.cli;

import dev.caisson.client.CaissonException;
import dev.caisson.client.CommandEnd;
import dev.caisson.client.Flow;
import dev.caisson.client.Output;
import dev.caisson.client.Receipt;
import dev.caisson.client.RunningCommand;
import dev.caisson.client.Sandbox;
import dev.caisson.client.SandboxFiles;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// One `caisson run` from its sandbox's creation to its receipt. However it ends, the sandbox is deleted.
final class Run implements AutoCloseable {
    /// As a shell shows a program whose reader went away.
    private static final int BROKEN_PIPE = 141;
    private static final int INTERRUPTED = 130;
    private static final int TIMED_OUT = 124;
    private static final int KILLED = 137;
    /// What a call says that came after its sandbox's end.
    private static final Set<String> GONE = Set.of("sandbox-not-found", "command-not-found", "wrong-state", "guest-failed");
    /// What a second program may still do when this one is told to end.
    private static final Duration LAST_WORDS = Duration.ofSeconds(10);

    private final Session session;
    private final RunCommand.Plan plan;
    private volatile boolean over;
    private volatile @Nullable Sandbox sandbox;
    private volatile @Nullable RunningCommand command;
    private volatile @Nullable CaissonException inputFailure;
    private volatile boolean interrupted;

    Run(Session session, RunCommand.Plan plan) {
        this.session = session;
        this.plan = plan;
        // Beside the creation, which it would hold up; a Ctrl-C before it is in place ends this program, and the hook below does the rest.
        Thread.ofPlatform().daemon().name("signals").start(() -> Interrupts.handle(this::interrupt));
        // For SIGTERM and SIGHUP; at an ordinary end nothing is left to do for it.
        Runtime.getRuntime().addShutdownHook(new Thread(this::lastWords, "last-words"));
    }

    int go() throws IOException {
        long start = System.nanoTime();
        var made = session.caisson().create(plan.sandbox());
        sandbox = made;
        var create = Duration.ofNanos(System.nanoTime() - start);
        var stdout = new Captured();
        var stderr = new Captured();
        Optional<CommandEnd> end = Optional.empty();
        boolean readerGone = false;
        var problems = new ArrayList<CaissonException>();
        Optional<Receipt> receipt = Optional.empty();
        try {
            send(made);
            if (!interrupted) {
                end = Optional.of(plan.json() ? follow(made, stdout, stderr) : follow(made, to(FileDescriptor.out), to(FileDescriptor.err)));
                receive(made, problems);
            }
        } catch (IOException e) {
            readerGone = true;
        } catch (CaissonException e) {
            problems.add(e);
        } finally {
            receipt = delete(made, problems);
        }
        var last = receipt;
        end = end.or(() -> lost(problems, last));
        var failure = inputFailure;
        if (failure != null) {
            problems.addFirst(failure);
        }
        var flows = flows(made, receipt, problems);
        if (plan.json() && end.isPresent()) {
            Console.out().println(RunResult.of(made, plan.argv(), end.get(), stdout, stderr, receipt, create, flows).write());
        }
        problems.forEach(each -> Console.failure(each.message(), each.remedy()));
        if (!plan.quiet() && !plan.json()) {
            flows.map(FlowLog::summary).filter(text -> !text.isEmpty()).ifPresent(text -> Console.remark("egress: " + text));
            Console.remark(Summary.of(made, create, end, receipt, plan));
        }
        if (!problems.isEmpty()) {
            return Main.FAILED;
        }
        return end.map(CommandEnd::status).orElse(readerGone ? BROKEN_PIPE : INTERRUPTED);
    }

    /// What became of a command whose sandbox ended before it could say so; the receipt knows. The trouble that told us is no failure of ours then.
    private Optional<CommandEnd> lost(ArrayList<CaissonException> problems, Optional<Receipt> receipt) {
        boolean gone = !problems.isEmpty() && GONE.contains(problems.getFirst().code());
        var outcome = receipt.filter(_ -> gone).flatMap(each -> outcome(each.reason(), problems.getFirst().code()));
        if (outcome.isPresent()) {
            problems.removeFirst();
        }
        return outcome.map(each -> new CommandEnd(
                each, each == CommandEnd.Outcome.TIMED_OUT ? TIMED_OUT : KILLED, receipt.map(it -> Duration.between(it.created(), it.ended())).orElse(Duration.ZERO), Duration.ZERO));
    }

    private static Optional<CommandEnd.Outcome> outcome(String reason, String code) {
        return switch (reason) {
            case "out-of-memory" -> Optional.of(CommandEnd.Outcome.OUT_OF_MEMORY);
            case "lease-over" -> Optional.of(CommandEnd.Outcome.TIMED_OUT);
            // By somebody else, when it was gone before we asked; else by our own delete just now, and the trouble stands.
            case "deleted" -> code.equals("sandbox-not-found") ? Optional.of(CommandEnd.Outcome.SANDBOX_GONE) : Optional.empty();
            default -> Optional.empty();
        };
    }

    private SandboxFiles files(Sandbox of) {
        return plan.user().isEmpty() ? of.files() : of.files().as(plan.user());
    }

    private void send(Sandbox to) {
        for (var file : plan.in()) {
            try {
                files(to).upload(file.local(), plan.place(file.remote()));
            } catch (IOException e) {
                throw new CaissonException("input-lost", 0, "cannot send " + file.local() + ": " + e.getMessage(), "make it readable, and do not change it meanwhile", e);
            }
        }
    }

    private CommandEnd follow(Sandbox in, Output stdout, Output stderr) throws IOException {
        if (!plan.tty()) {
            return attend(in.start(plan.command()), stdout, stderr);
        }
        try (var terminal = LocalTerminal.take()) {
            var size = terminal.size();
            var started = in.start(plan.command().withTerminal(size.columns(), size.rows()));
            Interrupts.handleResize(() -> resize(started, terminal));
            return attend(started, stdout, stderr);
        }
    }

    private static void resize(RunningCommand running, LocalTerminal terminal) {
        try {
            var size = terminal.size();
            running.resize(size.columns(), size.rows());
        } catch (CaissonException | CliException _) {
            // It has ended just now, or the next size will do.
        }
    }

    private CommandEnd attend(RunningCommand begun, Output stdout, Output stderr) throws IOException {
        try (var started = begun) {
            command = started;
            if (interrupted) {
                started.signal("INT");
            }
            if (!plan.input().isNone()) {
                Thread.ofPlatform().daemon().name("stdin").start(() -> forward(started));
            }
            return started.await(stdout, stderr);
        } finally {
            command = null;
        }
    }

    /// Input that broke off must not be taken for input that ended: the command is killed, and the run has failed.
    private void forward(RunningCommand to) {
        try {
            to.sendInput(plan.input().open());
        } catch (CaissonException e) {
            inputFailure = e;
            try {
                to.signal("KILL");
            } catch (CaissonException _) {
                // It has ended, or its sandbox is about to.
            }
        }
    }

    private void receive(Sandbox from, ArrayList<CaissonException> problems) {
        for (var file : plan.out()) {
            try {
                files(from).download(plan.place(file.remote()), file.local());
            } catch (IOException e) {
                problems.add(new CaissonException("file-failed", 0, "cannot write " + file.local() + ": " + e.getMessage(), "see that there is room", e));
            } catch (CaissonException e) {
                problems.add(new CaissonException(e.code(), e.status(), "--get " + file.remote() + ": " + e.message(), e.remedy(), e));
            }
        }
    }

    private static Optional<Receipt> delete(Sandbox made, ArrayList<CaissonException> problems) {
        try {
            var receipt = made.delete();
            if (receipt.leaks() > 0) {
                problems.add(new CaissonException(
                        "leak", 0, receipt.leaks() + " things of sandbox " + made.id() + " are still there", "see `caisson receipt " + made.id() + "`", null));
            }
            return Optional.of(receipt);
        } catch (CaissonException e) {
            problems.add(RunCommand.noReceipt(made, e));
            return Optional.empty();
        }
    }

    /// What it tried to reach, after its end, when all of it is written. Where nobody let it out this is looked at only when it was refused something, and is no matter of the run.
    private Optional<List<Flow>> flows(Sandbox of, Optional<Receipt> receipt, ArrayList<CaissonException> problems) {
        boolean refused = receipt.map(each -> each.denied().containsKey("network")).orElse(false);
        if (!plan.goesOut() && !refused) {
            return Optional.empty();
        }
        try {
            return Optional.of(FlowLog.after(session.caisson(), of.id(), 0));
        } catch (CaissonException e) {
            if (plan.goesOut()) {
                problems.add(new CaissonException(e.code(), e.status(), "no flow log came for sandbox " + of.id() + ": " + e.message(), "look again with `caisson egress " + of.id() + "`", e));
            }
            return Optional.empty();
        }
    }

    /// Straight to the descriptor; a heap buffer costs one copy on its way.
    private static Output to(FileDescriptor descriptor) {
        FileChannel channel = new FileOutputStream(descriptor).getChannel();
        return bytes -> {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        };
    }

    private void interrupt(int count) {
        interrupted = true;
        var running = command;
        if (count > 2 || running == null && count > 1) {
            Runtime.getRuntime().exit(INTERRUPTED);
        } else if (running != null) {
            try {
                running.signal(count == 1 ? "INT" : "KILL");
            } catch (CaissonException _) {
                // It has ended just now.
            }
        }
    }

    private void lastWords() {
        if (over) {
            return;
        }
        var left = sandbox;
        var work = Thread.ofPlatform().daemon().start(() -> {
            try {
                if (left != null) {
                    left.delete();
                }
            } catch (CaissonException e) {
                Console.failure(RunCommand.noReceipt(left, e).message(), "it ends with its lease");
            }
            session.close();
        });
        try {
            work.join(LAST_WORDS);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        over = true;
    }
}
