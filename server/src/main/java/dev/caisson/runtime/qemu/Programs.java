package dev.caisson.runtime.qemu;

import dev.caisson.host.Child;
import dev.caisson.host.HostFacts;
import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What of this host's a machine is run with. A path of something that is not there is the one it was looked for at.
///
/// @param qemu qemu-system-x86_64
/// @param firmware what the machine starts with
record Programs(Path qemu, Path bwrap, Path setpriv, Path nsenter, Path firmware) {
    private static final Duration BOUND = Duration.ofSeconds(10);
    private static final int MAX_WORDS_BYTES = 1 << 20;
    /// The leanest first; distributions put them in different places.
    private static final List<Path> FIRMWARE = List.of(
            Path.of("/usr/share/qemu/qboot.rom"), Path.of("/usr/share/qboot/bios.bin"), Path.of("/usr/share/seabios/bios-microvm.bin"), Path.of("/usr/share/qemu/bios-microvm.bin"));

    static Programs beside(Path qemu) {
        return new Programs(qemu, find("bwrap"), find("setpriv"), find("nsenter"), FIRMWARE.stream().filter(Files::isReadable).findFirst().orElse(FIRMWARE.getFirst()));
    }

    private static Path find(String name) {
        return HostFacts.program(name, HostFacts.PATH).orElse(Path.of("/usr/bin", name));
    }

    /// Which of them is missing and what to do; empty when none is.
    Optional<String> missing() {
        for (var needed : List.of(Map.entry(qemu, "qemu-system-x86"), Map.entry(bwrap, "bubblewrap"), Map.entry(setpriv, "util-linux"), Map.entry(nsenter, "util-linux"))) {
            if (!Files.isExecutable(needed.getKey())) {
                return Optional.of("no " + needed.getKey().getFileName() + " at " + needed.getKey() + "; install it (in Debian: the package " + needed.getValue() + ")");
            }
        }
        return Files.isReadable(firmware) ? Optional.empty() : Optional.of("no firmware for QEMU's microvm machine, looked for " + FIRMWARE + "; install it (in Debian: the package qemu-system-data)");
    }

    /// Asks QEMU for it, behind the walls that machines get, so that what is wrong with those is found out too.
    ///
    /// Errors: an [IOException] that names both versions when it is too old.
    QemuVersion version() throws IOException, InterruptedException {
        var output = Files.createTempFile("caisson-version", ".log");
        var filter = Files.createTempFile("caisson-calls", ".bpf");
        try {
            Files.write(filter, CallFilter.program());
            var command = Jail.withoutNetwork(this, Jail.NOBODY, filter).command(MAX_WORDS_BYTES, "", List.of("--version"));
            var exit = new Child(command, Map.of(), output, List.of()).run(BOUND);
            var version = QemuVersion.said(exit.tail()).filter(_ -> exit.ok())
                    .orElseThrow(() -> new IOException(qemu + " does not say its version behind its walls, but ends with status " + exit.status() + ": " + Failure.shown(exit.tail())));
            if (!version.isSupported()) {
                throw new IOException("QEMU " + version.text() + " at " + qemu + " is too old: " + QemuVersion.OLDEST.text() + " or newer is needed");
            }
            return version;
        } finally {
            Files.delete(output);
            Files.delete(filter);
        }
    }
}
