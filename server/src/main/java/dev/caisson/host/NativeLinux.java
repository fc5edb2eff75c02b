package dev.caisson.host;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/// The system calls that the JDK has no word for, called through libc.
///
/// Every call names itself and its object when it fails. Namespaces belong to threads: what enters one does so in [OwnThread].
final class NativeLinux {
    static final int O_RDONLY = 0;
    static final int O_RDWR = 2;
    static final int O_PATH = 0x200000;
    static final int O_CLOEXEC = 0x80000;
    static final int AT_FDCWD = -100;
    static final int CLONE_NEWNS = 0x20000;
    static final int CLONE_NEWUTS = 0x4000000;
    static final int CLONE_NEWIPC = 0x8000000;
    static final int CLONE_NEWNET = 0x40000000;
    static final long MS_RDONLY = 1;
    static final long MS_NOSUID = 2;
    static final long MS_NODEV = 4;
    static final long MS_REMOUNT = 32;
    static final long MS_NOATIME = 1024;
    static final long MS_BIND = 4096;
    static final long MS_REC = 1 << 14;
    static final long MS_SLAVE = 1 << 19;
    static final int MNT_DETACH = 2;
    static final int UMOUNT_NOFOLLOW = 8;
    static final int AF_INET = 2;
    static final int AF_INET6 = 10;
    static final int AF_NETLINK = 16;
    static final int SOCK_DGRAM = 2;
    static final int SOCK_RAW = 3;
    static final int SIGKILL = 9;
    static final int SEEK_DATA = 3;
    static final int SEEK_HOLE = 4;
    private static final int S_IFCHR = 0x2000;
    private static final int S_IFIFO = 0x1000;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final MethodHandle OPEN = variadic("open", 2, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle CLOSE = fixed("close", JAVA_INT, JAVA_INT);
    private static final MethodHandle MOUNT = fixed("mount", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS);
    private static final MethodHandle UMOUNT2 = fixed("umount2", JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle UNSHARE = fixed("unshare", JAVA_INT, JAVA_INT);
    private static final MethodHandle SETNS = fixed("setns", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle KILL = fixed("kill", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle SOCKET = fixed("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle IOCTL_LONG = variadic("ioctl", 2, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle IOCTL_PTR = variadic("ioctl", 2, JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS);
    private static final MethodHandle MKNOD = fixed("mknod", JAVA_INT, ADDRESS, JAVA_INT, JAVA_LONG);
    private static final MethodHandle CHMOD = fixed("chmod", JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle LSEEK = fixed("lseek", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
    private static final MethodHandle OPEN_TREE = variadic("syscall", 1, JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle MOVE_MOUNT = variadic("syscall", 1, JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle MOUNT_SETATTR = variadic("syscall", 1, JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_LONG);
    private static final MethodHandle SEND = fixed("send", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
    private static final MethodHandle RECV = fixed("recv", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
    private static final MethodHandle SETSOCKOPT = fixed("setsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle GETSOCKOPT = fixed("getsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS);
    private static final MethodHandle GETSOCKNAME = fixed("getsockname", JAVA_INT, JAVA_INT, ADDRESS, ADDRESS);
    private static final MethodHandle SETGROUPS = fixed("setgroups", JAVA_INT, JAVA_LONG, ADDRESS);
    private static final MethodHandle SETRESGID = fixed("setresgid", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle SETRESUID = fixed("setresuid", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle PIDFD_OPEN = variadic("syscall", 1, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT);
    private static final MethodHandle PIDFD_SEND_SIGNAL = variadic("syscall", 1, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);

    // System call numbers above 423 are the same on every architecture.
    private static final long SYS_PIDFD_SEND_SIGNAL = 424;
    private static final long SYS_OPEN_TREE = 428;
    private static final long SYS_MOVE_MOUNT = 429;
    private static final long SYS_PIDFD_OPEN = 434;
    private static final long SYS_MOUNT_SETATTR = 442;

    private static final int OPEN_TREE_CLONE = 1;
    private static final int OPEN_TREE_CLOEXEC = O_CLOEXEC;
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int MOVE_MOUNT_F_EMPTY_PATH = 4;
    private static final long MOUNT_ATTR_IDMAP = 0x0010_0000;

    private NativeLinux() {}

    interface Body {
        long run(Arena arena, MemorySegment state) throws Throwable;
    }

    static int open(String path, int flags) throws IOException {
        return (int) call("open", path, (arena, state) -> (int) OPEN.invokeExact(state, arena.allocateFrom(path), flags | O_CLOEXEC));
    }

    static void close(int fd) {
        try (var arena = Arena.ofConfined()) {
            int _ = (int) CLOSE.invokeExact(arena.allocate(STATE), fd);
        } catch (Throwable t) {
            throw new IllegalStateException("close", t);
        }
    }

    static void mount(String source, String target, String type, long flags, String data) throws IOException {
        call("mount", type + " on " + target, (arena, state) -> (int) MOUNT.invokeExact(
                state, arena.allocateFrom(source), arena.allocateFrom(target), arena.allocateFrom(type), flags, arena.allocateFrom(data)));
    }

    static void umount(String target, int flags) throws IOException {
        call("umount", target, (arena, state) -> (int) UMOUNT2.invokeExact(state, arena.allocateFrom(target), flags | UMOUNT_NOFOLLOW));
    }

    /// Only inside [OwnThread].
    static void unshare(int namespaces, String what) throws IOException {
        call("unshare", what, (_, state) -> (int) UNSHARE.invokeExact(state, namespaces));
    }

    /// Only inside [OwnThread].
    static void setns(int fd, int namespace, String what) throws IOException {
        call("setns", what, (_, state) -> (int) SETNS.invokeExact(state, fd, namespace));
    }

    /// One process; never a group, all, or process 1, whatever a file of the kernel said.
    static void kill(int pid, int signal) throws IOException {
        if (pid <= 1) {
            throw new IOException("refused to send a signal to process " + pid);
        }
        call("kill", Integer.toString(pid), (_, state) -> (int) KILL.invokeExact(state, pid, signal));
    }

    static int pidfdOpen(int pid) throws IOException {
        return (int) call("pidfd_open", Integer.toString(pid), (_, state) -> (long) PIDFD_OPEN.invokeExact(state, SYS_PIDFD_OPEN, pid, 0));
    }

    static void pidfdSendSignal(int pidfd, int signal) throws IOException {
        call("pidfd_send_signal", "signal " + signal,
                (_, state) -> (long) PIDFD_SEND_SIGNAL.invokeExact(state, SYS_PIDFD_SEND_SIGNAL, pidfd, signal, MemorySegment.NULL, 0));
    }

    static int socket(int domain, int type, int protocol) throws IOException {
        return (int) call("socket", "domain " + domain, (_, state) -> (int) SOCKET.invokeExact(state, domain, type | O_CLOEXEC, protocol));
    }

    static long ioctl(int fd, String what, long request, long argument) throws IOException {
        return call("ioctl", what, (_, state) -> (int) IOCTL_LONG.invokeExact(state, fd, request, argument));
    }

    static void ioctl(int fd, String what, long request, byte[] argument) throws IOException {
        call("ioctl", what, (arena, state) -> (int) IOCTL_PTR.invokeExact(state, fd, request, arena.allocateFrom(JAVA_BYTE, argument)));
    }

    /// Where the next data (`SEEK_DATA`) or hole (`SEEK_HOLE`) of a sparse file begins; ENXIO past the last.
    static long lseek(int fd, String path, long offset, int whence) throws IOException {
        return call("lseek", path, (_, state) -> (long) LSEEK.invokeExact(state, fd, offset, whence));
    }

    static void send(int fd, String what, byte[] message) throws IOException {
        long sent = call("send", what, (arena, state) -> (long) SEND.invokeExact(state, fd, arena.allocateFrom(JAVA_BYTE, message), (long) message.length, 0));
        if (sent != message.length) {
            throw new IOException("send: " + what + ": only " + sent + " of " + message.length + " bytes");
        }
    }

    /// One message, cut to the buffer's size; waits for it. Holds the thread: for platform threads.
    static int receive(int fd, String what, byte[] into) throws IOException {
        try (var arena = Arena.ofConfined()) {
            var buffer = arena.allocate(into.length);
            int length = (int) call("recv", what, (_, state) -> (long) RECV.invokeExact(state, fd, buffer, (long) into.length, 0));
            MemorySegment.copy(buffer, JAVA_BYTE, 0, into, 0, length);
            return length;
        }
    }

    static void setSocketOption(int fd, String what, int level, int option, int value) throws IOException {
        call("setsockopt", what, (arena, state) -> (int) SETSOCKOPT.invokeExact(state, fd, level, option, arena.allocateFrom(JAVA_INT, value), 4));
    }

    static int socketOption(int fd, String what, int level, int option) throws IOException {
        try (var arena = Arena.ofConfined()) {
            var value = arena.allocate(JAVA_INT);
            call("getsockopt", what, (_, state) -> (int) GETSOCKOPT.invokeExact(state, fd, level, option, value, arena.allocateFrom(JAVA_INT, 4)));
            return value.get(JAVA_INT, 0);
        }
    }

    /// The port that a socket of IPv4 or IPv6 is bound to, 0 for another one.
    static int boundPort(int fd, String what) throws IOException {
        try (var arena = Arena.ofConfined()) {
            // struct sockaddr_in and sockaddr_in6 alike: family, then the port in network order.
            var address = arena.allocate(128, 8);
            call("getsockname", what, (_, state) -> (int) GETSOCKNAME.invokeExact(state, fd, address, arena.allocateFrom(JAVA_INT, 128)));
            int family = address.get(java.lang.foreign.ValueLayout.JAVA_SHORT, 0);
            boolean internet = family == AF_INET || family == AF_INET6;
            return internet ? (address.get(JAVA_BYTE, 2) & 0xff) << 8 | address.get(JAVA_BYTE, 3) & 0xff : 0;
        }
    }

    /// Makes every thread of this process that user's, who has no other groups. There is no way back.
    static void becomeUser(int uid, int gid) throws IOException {
        call("setgroups", "none", (_, state) -> (int) SETGROUPS.invokeExact(state, 0L, MemorySegment.NULL));
        call("setresgid", Integer.toString(gid), (_, state) -> (int) SETRESGID.invokeExact(state, gid, gid, gid));
        call("setresuid", Integer.toString(uid), (_, state) -> (int) SETRESUID.invokeExact(state, uid, uid, uid));
    }

    static void mknod(String path, int mode, long device) throws IOException {
        call("mknod", path, (arena, state) -> (int) MKNOD.invokeExact(state, arena.allocateFrom(path), mode, device));
    }

    /// A device that swallows what is written and is always at its end, like /dev/null, but another file.
    static void makeNull(String path) throws IOException {
        makeCharacterDevice(path, 0666, 1, 3);
    }

    static void makeCharacterDevice(String path, int mode, int major, int minor) throws IOException {
        mknod(path, S_IFCHR | mode, (major << 8) | minor);
        call("chmod", path, (arena, state) -> (int) CHMOD.invokeExact(state, arena.allocateFrom(path), mode));
    }

    /// A named pipe that only its owner, who is root, may open.
    static void makePipe(String path) throws IOException {
        mknod(path, S_IFIFO | 0600, 0);
    }

    /// A detached copy of the mount at `path`, seen through the user namespace that `userNamespace` is a descriptor of, attached at `target`.
    static void attachIdmapped(String path, String target, int userNamespace) throws IOException {
        int tree = (int) call("open_tree", path, (arena, state) -> (long) OPEN_TREE.invokeExact(
                state, SYS_OPEN_TREE, AT_FDCWD, arena.allocateFrom(path), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
        try {
            call("mount_setattr idmap", path, (arena, state) -> {
                // struct mount_attr: attr_set, attr_clr, propagation, userns_fd
                var attr = arena.allocate(JAVA_LONG, 4);
                attr.setAtIndex(JAVA_LONG, 0, MOUNT_ATTR_IDMAP);
                attr.setAtIndex(JAVA_LONG, 3, userNamespace);
                return (long) MOUNT_SETATTR.invokeExact(state, SYS_MOUNT_SETATTR, tree, arena.allocateFrom(""), AT_EMPTY_PATH, attr, 32L);
            });
            call("move_mount", target, (arena, state) -> (long) MOVE_MOUNT.invokeExact(
                    state, SYS_MOVE_MOUNT, tree, arena.allocateFrom(""), AT_FDCWD, arena.allocateFrom(target), MOVE_MOUNT_F_EMPTY_PATH));
        } finally {
            close(tree);
        }
    }

    static long call(String name, String object, Body body) throws NativeException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            long result = body.run(arena, state);
            if (result < 0) {
                throw new NativeException(name, object, (int) ERRNO.get(state, 0L));
            }
            return result;
        } catch (NativeException | RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException(name, t);
        }
    }

    static MethodHandle fixed(String name, MemoryLayout result, MemoryLayout... arguments) {
        return bind(name, FunctionDescriptor.of(result, arguments), Linker.Option.captureCallState("errno"));
    }

    static MethodHandle variadic(String name, int firstVariadic, MemoryLayout result, MemoryLayout... arguments) {
        return bind(name, FunctionDescriptor.of(result, arguments), Linker.Option.captureCallState("errno"), Linker.Option.firstVariadicArg(firstVariadic));
    }

    private static MethodHandle bind(String name, FunctionDescriptor descriptor, Linker.Option... options) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), descriptor, options);
    }
}
