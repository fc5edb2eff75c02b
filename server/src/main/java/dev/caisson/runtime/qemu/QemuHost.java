package dev.caisson.runtime.qemu;

import dev.caisson.host.HostFacts;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.HostCpu;
import dev.caisson.runtime.microvm.KvmProbe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Whether this host can run machines with QEMU, and what of it they depend on.
///
/// Threads: safe for many.
final class QemuHost {
    private final Acceleration acceleration;
    private final Programs programs;
    private final CommandLine commandLine;
    private final TscRate tsc = new TscRate(Path.of("/"));
    private final KvmProbe kvm;
    private final Supplier<Optional<GuestKernel>> guest;
    private volatile @Nullable Known known;

    private record Known(FileTime changed, QemuVersion version) {}

    QemuHost(Acceleration acceleration, Programs programs, KvmProbe kvm, Supplier<Optional<GuestKernel>> guest) {
        this.acceleration = acceleration;
        this.programs = programs;
        this.commandLine = new CommandLine(acceleration);
        this.kvm = kvm;
        this.guest = guest;
    }

    /// See [QemuVmm#unfit].
    Optional<String> unfit() {
        var missing = missing();
        if (missing.isPresent()) {
            return missing;
        }
        try {
            version();
            return switch (acceleration) {
                case KVM -> kvmUnfit();
                case TCG -> tsc.kilohertz().isPresent() ? Optional.empty() : Optional.of("this host does not tell how fast its time stamp counter is, which an emulated guest must know");
            };
        } catch (IOException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return Optional.of("interrupted while QEMU was tried");
        }
    }

    /// See [QemuVmm#beingTried]. What is in the way of a trial, [#unfit] says.
    Optional<String> beingTried() {
        if (acceleration != Acceleration.KVM || missing().or(KvmProbe::missing).isPresent()) {
            return Optional.empty();
        }
        try {
            var kernel = guest.get();
            return kernel.isEmpty() ? Optional.empty() : kvm.beingTried(key(kernel.get()), trial(kernel.get()));
        } catch (IOException _) {
            return Optional.empty();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }

    private Optional<String> missing() {
        if (!System.getProperty("os.arch", "").equals("amd64")) {
            return Optional.of("QEMU's microvm machine is made for x86_64 alone");
        }
        if (!HostFacts.runningAsRoot()) {
            return Optional.of("QEMU is put behind its walls by root; run the node as root");
        }
        return programs.missing();
    }

    private Optional<String> kvmUnfit() throws IOException, InterruptedException {
        var missing = KvmProbe.missing();
        if (missing.isPresent()) {
            return missing;
        }
        var kernel = guest.get();
        return kernel.isEmpty() ? Optional.of("no guest kernel; `caisson setup` installs it") : kvm.unfit(key(kernel.get()), trial(kernel.get()));
    }

    private String key(GuestKernel kernel) throws IOException, InterruptedException {
        return fingerprint() + ", guest " + kernel.digest();
    }

    private KvmTrial trial(GuestKernel kernel) {
        return new KvmTrial(programs, commandLine, kernel, QemuVmm.HOME);
    }

    /// Asked anew when the program is another one: packages are upgraded under a node that runs.
    private QemuVersion version() throws IOException, InterruptedException {
        var changed = Files.getLastModifiedTime(programs.qemu());
        var answer = known;
        if (answer == null || !answer.changed().equals(changed)) {
            answer = new Known(changed, programs.version());
            known = answer;
        }
        return answer.version();
    }

    /// See [QemuVmm#fingerprint].
    String fingerprint() throws IOException, InterruptedException {
        return "qemu " + version().text() + ", microvm, firmware " + programs.firmware() + ", " + switch (acceleration) {
            case KVM -> "kvm, " + HostCpu.line();
            case TCG -> "tcg, tsc " + kilohertz() + " kHz";
        } + ", machine " + commandLine.digest(parameters());
    }

    /// What the guest's kernel must know of this VMM.
    String parameters() throws IOException {
        return acceleration.parameters() + (acceleration == Acceleration.TCG ? timing(kilohertz()) : "");
    }

    /// @param kilohertz lpj: how often a loop goes round in the 4 ms of one of the kernel's ticks
    static String timing(long kilohertz) {
        return " tsc_early_khz=" + kilohertz + " lpj=" + 4 * kilohertz;
    }

    private long kilohertz() throws IOException {
        return tsc.kilohertz().orElseThrow(() -> new IOException("this host does not tell how fast its time stamp counter is"));
    }
}
