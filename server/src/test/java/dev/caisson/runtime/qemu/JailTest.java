package dev.caisson.runtime.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.caisson.host.Child;
import dev.caisson.host.HostFacts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What one who has taken a QEMU over can do from there.
class JailTest {
    private static final Path INSIDE = Path.of("src/test/resources/dev/caisson/runtime/qemu/inside.c");
    private static final Duration BOUND = Duration.ofMinutes(1);
    private static final int EPERM = 1;
    private static final int ENOENT = 2;
    private static final int EACCES = 13;
    private static final int ENOSPC = 28;
    private static final int EROFS = 30;

    @TempDir
    private Path directory;

    @Test
    void noneOfItLeadsOut() throws Exception {
        var real = Programs.beside(QemuLab.QEMU);
        assumeTrue(HostFacts.runningAsRoot() && HostFacts.program("cc", "/usr/bin:/bin").isPresent() && real.missing().isEmpty(), "needs root, cc and QEMU's jail");
        var program = directory.resolve("inside");
        Child.of(directory.resolve("cc.log"), "cc", "-O2", "-static", "-o", program.toString(), INSIDE.toAbsolutePath().toString()).mustRun(BOUND);
        var found = tries(new Programs(program, real.bwrap(), real.setpriv(), real.nsenter(), real.firmware()));
        assertThat(found).containsEntry("own", 0).containsEntry("fill-scratch", ENOSPC);
        for (String refused : List.of("internet", "internet6", "netlink", "packet", "vsock", "user-namespace", "mount", "ptrace", "keys", "io-uring", "bpf", "root")) {
            assertThat(found).containsEntry(refused, EPERM);
        }
        assertThat(found.get("write-root")).isIn(EACCES, EROFS);
        assertThat(found.get("write-library")).isIn(EACCES, EROFS);
        assertThat(found).containsEntry("read-passwd", ENOENT).containsEntry("read-process", ENOENT).hasSize(18);
    }

    private Map<String, Integer> tries(Programs programs) throws IOException, InterruptedException {
        var filter = Files.write(directory.resolve("calls"), CallFilter.program());
        var output = directory.resolve("output");
        new Child(Jail.withoutNetwork(programs, Jail.NOBODY, filter).command(1 << 20, "", List.of()), Map.of(), output, List.of()).mustRun(BOUND);
        var found = new HashMap<String, Integer>();
        for (String line : Files.readAllLines(output)) {
            found.put(line.substring(0, line.indexOf(' ')), Integer.valueOf(line.substring(line.indexOf(' ') + 1)));
        }
        return found;
    }
}
