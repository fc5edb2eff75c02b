package dev.caisson.runtime.microvm;

import dev.caisson.guest.SeedFile;
import dev.caisson.host.Sha256;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.WarmUp;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Everything that a snapshot depends on. One that was made from anything else is another snapshot: it has another key, so it is never found.
///
/// @param vmm see [Vmm#fingerprint]
/// @param guest what is booted
/// @param commandLine the guest kernel's
record Origin(String vmm, GuestKernel guest, String commandLine, Boot.Image image, Vm.Shape shape, Optional<WarmUp> warmUp, List<SeedFile> files) {
    /// Raise it when what is frozen differs for another reason than those.
    private static final int FORMAT = 1;
    private static final int KEY_DIGITS = 32;

    /// As text, a line each; two origins are the same when these are.
    List<String> lines() {
        var lines = new ArrayList<>(List.of(
                "format " + FORMAT, "vmm " + vmm, "guest " + guest.digest(), "command line " + commandLine, "image " + image.digest(),
                "vcpus " + shape.vcpus(), "memory " + shape.memory().bytes(), "disk " + shape.disk().bytes()));
        warmUp.ifPresent(warm -> lines.addAll(List.of("user " + warm.user(), "port " + warm.port(), "start " + warm.command())));
        files.forEach(file -> lines.add("file " + file.path() + " " + Sha256.of(new String(file.content(), StandardCharsets.ISO_8859_1))));
        return lines;
    }

    /// 32 hex digits.
    String key() {
        return Sha256.of(String.join("\0", lines())).substring(0, KEY_DIGITS);
    }
}
