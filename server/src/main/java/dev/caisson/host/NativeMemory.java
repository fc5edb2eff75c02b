package dev.caisson.host;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.invoke.MethodHandle;

/// Files that are only in memory (memfd_create(2)), and what seals them.
final class NativeMemory {
    private static final int MFD_CLOEXEC = 1;
    private static final int MFD_ALLOW_SEALING = 2;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_SEAL_SEAL = 1;
    private static final int F_SEAL_SHRINK = 2;
    private static final int F_SEAL_GROW = 4;
    private static final int F_SEAL_WRITE = 8;
    private static final MethodHandle MEMFD_CREATE = NativeLinux.fixed("memfd_create", JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle FCNTL_INT = NativeLinux.variadic("fcntl", 2, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);

    private NativeMemory() {}

    /// An empty one; no program that is started has it.
    ///
    /// @param name for people who look at the processes that map it
    static int create(String name) throws IOException {
        return (int) NativeLinux.call("memfd_create", name, (arena, state) -> (int) MEMFD_CREATE.invokeExact(state, arena.allocateFrom(name), MFD_CLOEXEC | MFD_ALLOW_SEALING));
    }

    /// From now on neither its bytes nor its length nor its seals change. Fails with EBUSY while somebody could write to a mapping.
    static void seal(int fd, String name) throws IOException {
        NativeLinux.call("F_ADD_SEALS", name, (_, state) ->
                (int) FCNTL_INT.invokeExact(state, fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
    }
}
