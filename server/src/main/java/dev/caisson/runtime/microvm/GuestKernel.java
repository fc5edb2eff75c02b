package dev.caisson.runtime.microvm;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;

/// What a guest boots: Debian's cloud kernel, uncompressed, and an initramfs of its modules and our agent.
///
/// @param vmlinux an ELF file with a PVH entry
/// @param initramfs a cpio archive whose /init is the agent
/// @param digest SHA-256 of both, in hex
/// @param version the kernel's release, such as `6.1.0-40-cloud-amd64`
public record GuestKernel(Path vmlinux, Path initramfs, String digest, String version) {
    private static final String VMLINUX = "vmlinux";
    private static final String INITRAMFS = "initramfs";
    private static final String SHA256 = "[0-9a-f]{64}";
    private static final String REMEDY = "; make it (again) with: caisson setup";
    private static final int MAX_MANIFEST_BYTES = 4096;
    private static final int MAX_FILE_BYTES = 256 << 20;
    private static final int PIECE_BYTES = 1 << 16;

    /// What set-up has made, after both files were read and found to be what it made: some 60 MB, so ask once. A set-up that makes another one leaves these files where they are.
    ///
    /// @param directory has `vmlinux`, `initramfs` and `manifest`: a line for each thing that is known of them, `kernel RELEASE`, `vmlinux SHA256`, `initramfs SHA256` among them
    /// Errors: an [IOException] that says what is missing or damaged, and the remedy.
    public static GuestKernel open(Path directory) throws IOException {
        try {
            // Set-up exchanges the directory by its name, which is a link.
            var real = directory.toRealPath();
            var manifest = manifest(real.resolve("manifest"));
            var vmlinux = checked(real.resolve(VMLINUX), said(manifest, VMLINUX, SHA256));
            var initramfs = checked(real.resolve(INITRAMFS), said(manifest, INITRAMFS, SHA256));
            var both = sha256();
            both.update(HexFormat.of().parseHex(said(manifest, VMLINUX, SHA256)));
            both.update(HexFormat.of().parseHex(said(manifest, INITRAMFS, SHA256)));
            return new GuestKernel(vmlinux, initramfs, HexFormat.of().formatHex(both.digest()), said(manifest, "kernel", "[A-Za-z0-9.+~_-]{1,64}"));
        } catch (NoSuchFileException e) {
            throw new IOException("microVMs have no kernel: there is no " + e.getFile() + REMEDY, e);
        }
    }

    /// Parameters for the kernel; a VMM adds its console and devices, and what its machine needs to come up. Of two that contradict each other the kernel obeys the later.
    ///
    /// @param home see [Vmm#home]
    public String commandLine(String home) {
        return "quiet panic=-1 reboot=k init_on_alloc=0 cryptomgr.notests random.trust_cpu=on rdinit=/init caisson.home=" + home;
    }

    private static Map<String, String> manifest(Path file) throws IOException {
        if (Files.size(file) > MAX_MANIFEST_BYTES) {
            throw new IOException(file + " is not what set-up writes" + REMEDY);
        }
        var known = new HashMap<String, String>();
        for (String line : Files.readAllLines(file, StandardCharsets.ISO_8859_1)) {
            int space = line.indexOf(' ');
            if (space <= 0 || known.put(line.substring(0, space), line.substring(space + 1)) != null) {
                throw new IOException(file + " is not what set-up writes" + REMEDY);
            }
        }
        return known;
    }

    private static String said(Map<String, String> manifest, String key, String pattern) throws IOException {
        var value = manifest.getOrDefault(key, "");
        if (!value.matches(pattern)) {
            throw new IOException("the manifest of the microVMs' kernel does not tell its '" + key + "'" + REMEDY);
        }
        return value;
    }

    private static Path checked(Path file, String expected) throws IOException {
        var digest = sha256();
        try (var in = FileChannel.open(file)) {
            if (in.size() > MAX_FILE_BYTES) {
                throw new IOException(file + " is larger than any kernel" + REMEDY);
            }
            var piece = ByteBuffer.allocate(PIECE_BYTES);
            while (in.read(piece) >= 0) {
                digest.update(piece.flip());
                piece.clear();
            }
        }
        if (!HexFormat.of().formatHex(digest.digest()).equals(expected)) {
            throw new IOException(file + " is damaged: it is not what set-up made" + REMEDY);
        }
        return file;
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
