package dev.caisson.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.Set;
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

    /// @param namespace which kind the body leaves
    static <T> T leaving(Namespace namespace, Callable<T> body) throws IOException, InterruptedException {
        return leaving(EnumSet.of(namespace), body);
    }

    /// @param namespaces which kinds the body leaves, one at least
    static <T> T leaving(Set<Namespace> namespaces, Callable<T> body) throws IOException, InterruptedException {
        var task = new FutureTask<>(() -> thereAndBack(namespaces.iterator(), body));
        if (Thread.interrupted()) {
            throw new InterruptedException("before leaving " + namespaces);
        }
        Thread.ofPlatform().name("leaving-" + namespaces).daemon().start(task);
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

    private static <T> T thereAndBack(Iterator<Namespace> namespaces, Callable<T> body) throws Exception {
        if (!namespaces.hasNext()) {
            return body.call();
        }
        var namespace = namespaces.next();
        int home = NativeLinux.open(namespace.path(), NativeLinux.O_RDONLY);
        try {
            return thereAndBack(namespaces, body);
        } finally {
            NativeLinux.setns(home, namespace.flag, "back to the machine's " + namespace);
            NativeLinux.close(home);
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

    /// A kind: its name in `/proc/thread-self/ns` and its CLONE_NEW flag.
    enum Namespace {
        NETWORK("net", NativeLinux.CLONE_NEWNET),
        MOUNT("mnt", NativeLinux.CLONE_NEWNS),
        HOST_NAME("uts", NativeLinux.CLONE_NEWUTS),
        IPC("ipc", NativeLinux.CLONE_NEWIPC);

        private final String file;
        final int flag;

        Namespace(String file, int flag) {
            this.file = file;
            this.flag = flag;
        }

        /// Its name among nsenter's options.
        String option() {
            return file.equals("mnt") ? "mount" : file;
        }

        /// The calling thread's own.
        String path() {
            return "/proc/thread-self/ns/" + file;
        }
    }
}
