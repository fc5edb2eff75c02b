package dev.caisson.runtime.qemu;

import dev.caisson.host.Child;
import dev.caisson.sandbox.Failure;
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
    private static final int MAX_SHOWN = 800;

    private final Process process;

    private RunningVmm(Process process) {
        this.process = process;
    }

    static RunningVmm start(List<String> command, Path input, List<Path> cgroupFiles) throws IOException {
        var nothing = Path.of("/dev/null");
        return new RunningVmm(new Child(command, Map.of("LC_ALL", "C"), input, nothing, cgroupFiles, null).startAudible());
    }

    /// What goes wrong in it, QEMU itself says best why.
    void hear(QemuVmm.Task task) throws IOException, InterruptedException {
        try {
            task.run();
        } catch (IOException e) {
            String last = process.isAlive() ? words() : lastWords();
            throw new IOException(e.getMessage() + (last.isEmpty() ? "" : ": " + Failure.shown(last.replaceAll("\\s+", " "), MAX_SHOWN)), e);
        }
    }

    /// Errors: an [IOException] when it has ended.
    void check() throws IOException, InterruptedException {
        if (!process.isAlive()) {
            throw new IOException("QEMU ended with status " + process.waitFor());
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

    /// The JDK takes what is left in the pipe of a process that has ended, but a moment after it says that it has.
    private String lastWords() throws IOException, InterruptedException {
        String last = words();
        for (int look = 0; last.isEmpty() && look < 50; look++) {
            Thread.sleep(1);
            last = words();
        }
        return last;
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
