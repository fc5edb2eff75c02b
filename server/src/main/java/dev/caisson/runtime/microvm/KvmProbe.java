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
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Whether a guest really runs on this host's KVM. That `/dev/kvm` opens says little: a nested KVM may fail at the first instruction it has to emulate.
///
/// Asking costs a guest, so an answer is kept in a file until the host boots again, when another kernel, other microcode or another hypervisor may be there. What went
/// wrong on the way to an answer is not one: it is kept by this process alone, and the next asks again.
/// Threads: safe for many; one trial at a time.
public final class KvmProbe {
    /// On the guest's command line: /init writes [#SIGN] to its console and restarts the machine.
    public static final String PARAMETER = "caisson.probe";
    public static final String SIGN = "caisson guest is up";
    /// How long a trial may take.
    public static final Duration BOUND = Duration.ofSeconds(10);

    private static final Path DEVICE = Path.of("/dev/kvm");
    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");
    private static final String FIT = "fit";
    private static final int MAX_REASON = 400;
    private static final int MAX_WORDS = 300;

    private final Path directory;
    private final Path bootId;
    private final Map<String, String> answers = new HashMap<>();

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

    /// Why that guest does not run with that VMM; empty when it does. Cheap when it was asked before.
    ///
    /// @param key all that the answer depends on beside the host
    public synchronized Optional<String> unfit(String key, Trial trial) {
        var known = answers.containsKey(key) ? answers.get(key) : kept(key);
        if (known == null) {
            try {
                known = tried(key, trial);
            } catch (IOException e) {
                known = "cannot try a guest on KVM: " + e.getMessage();
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
                return Optional.of("interrupted while a guest was tried on KVM");
            }
        }
        answers.put(key, known);
        return known.equals(FIT) ? Optional.empty() : Optional.of(known);
    }

    private String tried(String key, Trial trial) throws IOException, InterruptedException {
        Files.createDirectories(directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        var scratch = Files.createTempDirectory(directory, "t");
        try {
            var answer = trial.run(scratch).map(KvmProbe::oneLine).orElse(FIT);
            keep(key, answer);
            return answer;
        } finally {
            try (var files = Files.newDirectoryStream(scratch)) {
                for (Path file : files) {
                    Files.delete(file);
                }
            }
            Files.delete(scratch);
        }
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
