package dev.caisson.runtime.microvm;

import dev.caisson.host.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/// What a guest boots: Debian's cloud kernel, uncompressed, and an initramfs of its modules and our agent. `caisson setup` makes it (deploy/guest.bash).
///
/// @param vmlinux an ELF file with a PVH entry
/// @param initramfs a cpio archive whose /init is the agent
/// @param digest SHA-256 of both, in hex
/// @param version the kernel's release, such as `6.1.0-40-cloud-amd64`
public record GuestKernel(Path vmlinux, Path initramfs, String digest, String version) {
    private static final String REMEDY = "; `caisson setup` installs it";
    private static final long MAX_MANIFEST_BYTES = 64 * 1024;
    /// By their real directory, which never changes once it has its name.
    private static final Map<Path, GuestKernel> OPENED = new ConcurrentHashMap<>();

    /// Why there is none; empty when there is. Cheap: nothing is checked that [#open] will check.
    public static Optional<String> unfit(Path directory) {
        return Files.isReadable(directory.resolve("manifest")) ? Optional.empty() : Optional.of("no guest kernel at " + directory + REMEDY);
    }

    /// The one in that directory, each of whose files is what the manifest says. Cheap after the first call.
    ///
    /// Errors: an [IOException] that names the file that is missing or damaged, and the way out.
    public static GuestKernel open(Path directory) throws IOException {
        Optional<String> unfit = unfit(directory);
        if (unfit.isPresent()) {
            throw new IOException(unfit.get());
        }
        Path real = directory.toRealPath();
        GuestKernel known = OPENED.get(real);
        if (known == null) {
            known = read(real);
            OPENED.put(real, known);
        }
        return known;
    }

    /// The same; empty when there is none that is whole.
    public static Optional<GuestKernel> find(Path directory) {
        try {
            return Optional.of(open(directory));
        } catch (IOException _) {
            return Optional.empty();
        }
    }

    private static GuestKernel read(Path directory) throws IOException {
        Path file = directory.resolve("manifest");
        if (Files.size(file) > MAX_MANIFEST_BYTES) {
            throw new IOException(file + " is too long to be a manifest" + REMEDY);
        }
        var lines = Files.readString(file, StandardCharsets.ISO_8859_1).lines().map(line -> line.split(" ", 2)).filter(words -> words.length == 2).toList();
        String vmlinux = checked(directory, "vmlinux", said(file, lines, "vmlinux"));
        String initramfs = checked(directory, "initramfs", said(file, lines, "initramfs"));
        return new GuestKernel(directory.resolve("vmlinux"), directory.resolve("initramfs"), Sha256.of(vmlinux + " " + initramfs), said(file, lines, "kernel"));
    }

    private static String said(Path file, Iterable<String[]> lines, String key) throws IOException {
        for (String[] line : lines) {
            if (line[0].equals(key)) {
                return line[1].strip();
            }
        }
        throw new IOException(file + " does not say '" + key + "'" + REMEDY);
    }

    private static String checked(Path directory, String name, String expected) throws IOException {
        Path file = directory.resolve(name);
        if (!Files.isReadable(file)) {
            throw new IOException("no " + file + REMEDY);
        }
        String found = Sha256.of(file);
        if (!found.equals(expected)) {
            throw new IOException(file + " is damaged: its SHA-256 is " + found + ", its manifest says " + expected + REMEDY);
        }
        return found;
    }

    /// Parameters for the kernel; a VMM adds its console and devices.
    ///
    /// @param home see [Vmm#home]
    public String commandLine(String home) {
        return "quiet panic=-1 reboot=k init_on_alloc=0 cryptomgr.notests random.trust_cpu=on rdinit=/init caisson.home=" + home;
    }
}
