package dev.caisson.runtime.firecracker;

import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.HostCpu;
import dev.caisson.runtime.microvm.KvmProbe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Whether Firecracker runs on this host, and what a frozen machine depends on of both.
///
/// Threads: safe for many.
final class Fitness {
    private final Programs programs;
    private final KvmProbe kvm;
    private final Supplier<Optional<GuestKernel>> guest;
    private volatile @Nullable Optional<String> known;
    private volatile @Nullable Fingerprint fingerprint;

    /// @param made when the program was
    private record Fingerprint(FileTime made, @Nullable Object inode, String line) {}

    /// @param guest what is booted to find out whether KVM works; empty while there is none
    Fitness(Programs programs, KvmProbe kvm, Supplier<Optional<GuestKernel>> guest) {
        this.programs = programs;
        this.kvm = kvm;
        this.guest = guest;
    }

    /// What is missing may be installed while we run, so only an answer of KVM's is kept.
    Optional<String> unfit(String home) {
        var answer = known;
        if (answer != null) {
            return answer;
        }
        var missing = KvmProbe.missing();
        if (missing.isPresent()) {
            return missing;
        }
        try {
            var unusable = programs.unfit();
            return unusable.isPresent() ? unusable : tried(home);
        } catch (IOException e) {
            return Optional.of("cannot try Firecracker: " + e.getMessage());
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return Optional.of("interrupted while Firecracker was tried");
        }
    }

    /// See [FirecrackerVmm#beingTried]. What is in the way of a trial, [#unfit] says.
    Optional<String> beingTried(String home) {
        if (known != null || KvmProbe.missing().isPresent()) {
            return Optional.empty();
        }
        try {
            var kernel = guest.get();
            return kernel.isEmpty() || programs.unfit().isPresent() ? Optional.empty() : kvm.beingTried(key(kernel.get()), trial(kernel.get(), home));
        } catch (IOException _) {
            return Optional.empty();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }

    private Optional<String> tried(String home) throws IOException, InterruptedException {
        var kernel = guest.get();
        if (kernel.isEmpty()) {
            return Optional.of("no guest kernel; `caisson setup` installs it");
        }
        var answer = kvm.unfit(key(kernel.get()), trial(kernel.get(), home));
        known = answer;
        return answer;
    }

    private String key(GuestKernel kernel) throws IOException, InterruptedException {
        return fingerprint() + ", guest " + kernel.digest();
    }

    private KvmTrial trial(GuestKernel kernel, String home) {
        return new KvmTrial(programs.firecracker(), kernel, home, KvmProbe.BOUND);
    }

    /// Asked at every start, so asked of the program once; of another one in its place again.
    String fingerprint() throws IOException, InterruptedException {
        var file = Files.readAttributes(programs.firecracker(), BasicFileAttributes.class);
        var last = fingerprint;
        if (last == null || !last.made.equals(file.lastModifiedTime()) || !Objects.equals(last.inode, file.fileKey())) {
            last = new Fingerprint(file.lastModifiedTime(), file.fileKey(), "firecracker " + programs.version() + ", " + HostCpu.line());
            fingerprint = last;
        }
        return last.line;
    }
}
