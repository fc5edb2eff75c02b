package dev.caisson.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/// Runs work that changes namespaces on a platform thread of its own, which is back where it came from before anybody hears of its end.
///
/// A thread starts in the namespaces of the thread that makes it. The JDK makes threads in passing: a carrier when a virtual thread is woken, a
/// reaper when a process is started, a cleaner at the first file. One made by a thread that is still inside would serve the whole node from inside a
/// sandbox's namespace, and keep it alive. So: return first, finish then; start no process inside; have the cleaner made before.
///
/// What was begun is finished, also for a caller who is interrupted meanwhile: he hears of it, and still has its result to undo. So the work is short and waits for nobody.
final class OwnThread {
    static {
        try {
            Files.readString(Path.of("/proc/self/comm"));
        } catch (IOException e) {
            throw new IllegalStateException("no /proc", e);
        }
    }

    private OwnThread() {}

    /// @param namespace which kind the body leaves: its name in `/proc/thread-self/ns` and its CLONE_NEW flag
    static <T> T leaving(Namespace namespace, Callable<T> body) throws IOException, InterruptedException {
        var task = new FutureTask<>(() -> {
            int home = NativeLinux.open(namespace.path(), NativeLinux.O_RDONLY);
            try {
                return body.call();
            } finally {
                NativeLinux.setns(home, namespace.flag, "back to the machine's " + namespace);
                NativeLinux.close(home);
            }
        });
        if (Thread.interrupted()) {
            throw new InterruptedException("before leaving " + namespace);
        }
        Thread.ofPlatform().name("leaving-" + namespace).daemon().start(task);
        try {
            return finished(task);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException io) {
                throw io;
            }
            if (e.getCause() instanceof RuntimeException failure) {
                throw failure;
            }
            throw new IllegalStateException("on a thread of its own", e.getCause());
        }
    }

    private static <T> T finished(FutureTask<T> task) throws ExecutionException {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return task.get();
                } catch (InterruptedException _) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    enum Namespace {
        NETWORK("net", NativeLinux.CLONE_NEWNET),
        MOUNT("mnt", NativeLinux.CLONE_NEWNS);

        private final String file;
        final int flag;

        Namespace(String file, int flag) {
            this.file = file;
            this.flag = flag;
        }

        /// The calling thread's own.
        String path() {
            return "/proc/thread-self/ns/" + file;
        }
    }
}
