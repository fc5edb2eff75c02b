package dev.caisson.runtime.microvm;

import dev.caisson.host.Child;
import dev.caisson.host.HostFacts;
import dev.caisson.host.Sha256;
import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// Whether a guest really runs on this host's KVM. That `/dev/kvm` opens says little: a nested KVM may fail at the first instruction it has to emulate.
///
/// Asking costs a guest, so an answer is kept in a file until the host boots again, when another kernel, other microcode or another hypervisor may be there. What went
/// wrong on the way to an answer is not one: it is kept by this process alone, and the next asks again.
/// Threads: safe for many. A trial runs in a thread of its own, one at a time, and goes on whether or not somebody waits for it.
public final class KvmProbe {
    /// On the guest's command line: /init writes [#SIGN] to its console and restarts the machine.
    public static final String PARAMETER = "caisson.probe";
    public static final String SIGN = "caisson guest is up";
    /// How long a trial may take.
    public static final Duration BOUND = Duration.ofSeconds(10);
    /// How long somebody waits for an answer: for a trial, and those before it.
    private static final Duration PATIENCE = BOUND.multipliedBy(6);

    private static final Path DEVICE = Path.of("/dev/kvm");
    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");
    private static final String FIT = "fit";
    private static final String SCRATCH = "t";
    private static final int MAX_REASON = 400;
    private static final int MAX_WORDS = 300;
    private static final String BEING_TRIED = "a guest is being tried on KVM, which takes some seconds; ask again";

    private final Path directory;
    private final Path bootId;
    private final Map<String, CompletableFuture<String>> answers = new HashMap<>();
    private final ReentrantLock trying = new ReentrantLock();

    /// Runs a guest.
    @FunctionalInterface
    public interface Trial {
        /// @param scratch an empty directory, root's alone, removed afterwards with the files in it
        /// @return why the guest did not run; empty when it did
        Optional<String> run(Path scratch) throws IOException, InterruptedException;
    }

    /// @param directory root's alone; made when it is not there
    public KvmProbe(Path directory) {
        this(directory, BOOT_ID);
    }

    KvmProbe(Path directory, Path bootId) {
        this.directory = directory;
        this.bootId = bootId;
    }

    /// Why no VMM can run here at all; empty when one might.
    public static Optional<String> missing() {
        if (!HostFacts.runningAsRoot()) {
            return Optional.of("virtual machines are started by root; run the node as root");
        }
        return Files.exists(DEVICE) ? Optional.empty() : Optional.of("no /dev/kvm: load the kernel's module kvm_intel or kvm_amd, or turn virtualization on in the firmware or the cloud's settings");
    }

    /// What a trial whose guest has ended, or was ended, may answer.
    ///
    /// @param console what the guest wrote
    /// @param log what the VMM wrote, perhaps the same file
    public static Optional<String> judge(Path console, Path log) {
        if (Child.tail(console).contains(SIGN)) {
            return Optional.empty();
        }
        var words = Child.tail(log);
        return Optional.of("KVM cannot run a guest here" + (words.isEmpty() ? "" : ": " + words.substring(Math.max(0, words.length() - MAX_WORDS))));
    }

    /// Why that guest does not run with that VMM; empty when it does. Waits for a trial that runs; cheap when there was one.
    ///
    /// Errors: an [IOException] when there is no answer yet after a minute.
    ///
    /// @param key all that the answer depends on beside the host
    public Optional<String> unfit(String key, Trial trial) throws IOException, InterruptedException {
        try {
            var answer = answer(key, trial).get(PATIENCE.toNanos(), TimeUnit.NANOSECONDS);
            return answer.equals(FIT) ? Optional.empty() : Optional.of(answer);
        } catch (TimeoutException e) {
            throw new IOException(BEING_TRIED, e);
        } catch (ExecutionException e) {
            throw new IllegalStateException("a trial of KVM failed", e.getCause());
        }
    }

    /// For people: that [#unfit] would have to wait, since that guest is being tried with that VMM; empty when there is an answer. Begins a trial where there was none, and never waits.
    public Optional<String> beingTried(String key, Trial trial) {
        return answer(key, trial).isDone() ? Optional.empty() : Optional.of(BEING_TRIED);
    }

    /// What is known, or will be.
    private synchronized CompletableFuture<String> answer(String key, Trial trial) {
        return answers.computeIfAbsent(key, _ -> {
            var kept = kept(key);
            return kept != null ? CompletableFuture.completedFuture(kept) : CompletableFuture.supplyAsync(() -> found(key, trial), KvmProbe::inAThread);
        });
    }

    /// What a trial starts ends with the thread that started it, so that is no thread of somebody else's.
    private static void inAThread(Runnable task) {
        Thread.ofPlatform().daemon().name("kvm-trial").start(task);
    }

    private String found(String key, Trial trial) {
        trying.lock();
        try {
            return tried(key, trial);
        } catch (IOException e) {
            return "cannot try a guest on KVM: " + e.getMessage();
        } catch (InterruptedException e) {
            throw new IllegalStateException("nobody interrupts a trial", e);
        } finally {
            trying.unlock();
        }
    }

    private String tried(String key, Trial trial) throws IOException, InterruptedException {
        Files.createDirectories(directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        var scratch = Files.createTempDirectory(directory, SCRATCH);
        try {
            removeOlder(Files.getLastModifiedTime(scratch).toInstant().minus(PATIENCE));
            var answer = trial.run(scratch).map(KvmProbe::oneLine).orElse(FIT);
            keep(key, answer);
            return answer;
        } finally {
            remove(scratch);
        }
    }

    /// What processes have left that were killed in the middle of a trial.
    private void removeOlder(Instant than) throws IOException {
        try (var left = Files.newDirectoryStream(directory, SCRATCH + "*")) {
            for (Path scratch : left) {
                if (Files.getLastModifiedTime(scratch).toInstant().isBefore(than)) {
                    remove(scratch);
                }
            }
        }
    }

    private static void remove(Path scratch) throws IOException {
        try (var files = Files.newDirectoryStream(scratch)) {
            for (Path file : files) {
                Files.delete(file);
            }
        }
        Files.delete(scratch);
    }

    /// Two lines: the boot that it is of, the answer.
    private void keep(String key, String answer) throws IOException {
        var fresh = Files.createTempFile(directory, "answer", "");
        Files.writeString(fresh, boot() + "\n" + answer + "\n");
        Files.move(fresh, file(key), StandardCopyOption.ATOMIC_MOVE);
    }

    /// An answer of this boot; null when there is none that can be read.
    private @Nullable String kept(String key) {
        try {
            var lines = Files.readAllLines(file(key));
            return lines.size() == 2 && lines.getFirst().equals(boot()) && !lines.getLast().isBlank() ? lines.getLast() : null;
        } catch (IOException _) {
            return null;
        }
    }

    private String boot() throws IOException {
        return Files.readString(bootId).strip();
    }

    private Path file(String key) {
        return directory.resolve("kvm-" + Sha256.of(key).substring(0, 16));
    }

    private static String oneLine(String reason) {
        return Failure.shown(reason.replaceAll("\\s+", " ").strip(), MAX_REASON);
    }
}
