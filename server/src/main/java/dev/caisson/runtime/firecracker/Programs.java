package dev.caisson.runtime.firecracker;

import dev.caisson.host.Child;
import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/// Firecracker's two programs, which are released together.
record Programs(Path firecracker, Path jailer) {
    private static final String REMEDY = "; `caisson setup` installs them";
    private static final Duration BOUND = Duration.ofSeconds(10);

    /// Why they cannot be used; empty when they can.
    Optional<String> unfit() throws IOException, InterruptedException {
        for (Path program : new Path[] {firecracker, jailer}) {
            if (!Files.isExecutable(program)) {
                return Optional.of("no " + program.getFileName() + " at " + program + REMEDY);
            }
        }
        String said = words(firecracker);
        var version = FirecrackerVersion.said(said);
        if (version.isEmpty()) {
            return Optional.of(firecracker + " does not say its version but '" + Failure.shown(said) + "'; Firecracker " + FirecrackerVersion.SUPPORTED + " is needed" + REMEDY);
        }
        if (!version.get().isSupported()) {
            return Optional.of("Firecracker " + version.get() + " at " + firecracker + " is not supported: " + FirecrackerVersion.SUPPORTED + " is needed" + REMEDY);
        }
        var jail = FirecrackerVersion.said(words(jailer));
        return jail.equals(version) ? Optional.empty() : Optional.of("Firecracker " + version.get() + " and its jailer "
                + jail.map(FirecrackerVersion::toString).orElse("of no version") + " at " + jailer + " are not of one release" + REMEDY);
    }

    FirecrackerVersion version() throws IOException, InterruptedException {
        return FirecrackerVersion.said(words(firecracker)).orElseThrow(() -> new IOException(firecracker + " does not say its version"));
    }

    private static String words(Path program) throws IOException, InterruptedException {
        var output = Files.createTempFile("caisson-version", ".log");
        try {
            return Child.of(output, program.toString(), "--version").run(BOUND).tail();
        } finally {
            Files.delete(output);
        }
    }
}
