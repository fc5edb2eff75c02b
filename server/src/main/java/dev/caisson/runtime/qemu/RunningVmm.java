package dev.caisson.runtime.qemu;

import dev.caisson.host.Child;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// A VMM on its way up: from the start of its jail until its machine runs.
///
/// The process that is known here is bwrap, which only waits for QEMU and is of no use to us.
/// Cleanup: [#close] ends bwrap and stops listening; QEMU goes on, and belongs to its cgroup alone.
final class RunningVmm implements AutoCloseable {
    private static final int WORDS_BYTES = 4096;

    private final Process process;

    private RunningVmm(Process process) {
        this.process = process;
    }

    static RunningVmm start(List<String> command, Path input, List<Path> cgroupFiles) throws IOException {
        var nothing = Path.of("/dev/null");
        return new RunningVmm(new Child(command, Map.of("LC_ALL", "C"), input, nothing, cgroupFiles, null).startAudible());
    }

    /// Errors: an [IOException] with its last words when it has ended.
    void check() throws IOException, InterruptedException {
        if (!process.isAlive()) {
            throw new IOException("QEMU ended with status " + process.waitFor() + ": " + words());
        }
    }

    boolean hasEnded() {
        return !process.isAlive();
    }

    /// The last of what it has said since this was asked before, at most 4 KiB; never waits.
    String words() throws IOException {
        InputStream in = process.getInputStream();
        byte[] all = in.readNBytes(in.available());
        int from = Math.max(0, all.length - WORDS_BYTES);
        return new String(all, from, all.length - from, StandardCharsets.UTF_8).strip();
    }

    /// Ends QEMU too, which has no cgroup that it would end with.
    void end() {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    @Override
    public void close() throws IOException {
        process.destroyForcibly();
        process.getInputStream().close();
    }
}
