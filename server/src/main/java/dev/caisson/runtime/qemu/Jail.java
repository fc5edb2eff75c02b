package dev.caisson.runtime.qemu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The walls around a VMM, as the programs that raise them, each becoming the next: shell (limits, the memory's descriptor), nsenter (network), bwrap (all other namespaces, a root
/// of its own, a [CallFilter]), setpriv (user, capabilities), QEMU (its system call filter).
///
/// No user namespace: hosts that forbid those to users are as good as others, and the VMM has no right in any namespace. bwrap is root's, and what it mounts stays when setpriv, whose
/// only capabilities are to become somebody else, has given up even these.
/// What can be written to: 64 KiB at [#SCRATCH], and the files given as [#writable].
///
/// Threads: one at a time.
final class Jail {
    /// A directory inside, in memory, for sockets.
    static final String SCRATCH = "/run";
    /// Where a machine finds the memory that [#command] was given.
    static final String MEMORY = "/proc/self/fd/9";
    /// The user of a QEMU that runs nothing of anybody's.
    static final int NOBODY = 0x2fff_ffff;

    private static final String QEMU = "/qemu";
    private static final String SETPRIV = "/setpriv";
    private static final int SCRATCH_BYTES = 64 * 1024;
    private static final int OPEN_FILES = 1024;
    private static final int BLOCK = 512;
    /// Constant text: data comes as arguments only.
    private static final String LIMITS = "set -e; ulimit -c 0; ulimit -n " + OPEN_FILES + "; ulimit -f \"$1\"; exec 8<\"$2\"; if [ -n \"$3\" ]; then exec 9<>\"$3\"; fi; shift 3; exec \"$@\"";

    private final Programs programs;
    private final Path filter;
    private final List<String> outside = new ArrayList<>();
    private final List<String> mounts = new ArrayList<>();
    private final int user;
    /// QEMU is the first process in its namespace; bwrap, which waits for it outside, is of no use.
    private String life = "--as-pid-1";

    private Jail(Programs programs, int user, Path filter) {
        this.programs = programs;
        this.filter = filter;
        this.user = user;
    }

    /// In a network namespace that is there.
    ///
    /// @param filter a file with [CallFilter]'s program
    static Jail in(Path network, Programs programs, int user, Path filter) throws IOException {
        var jail = new Jail(programs, user, filter);
        jail.outside.addAll(List.of(programs.nsenter().toString(), "--net=" + network, "--", programs.bwrap().toString()));
        return jail.furnished();
    }

    /// With no network at all.
    static Jail withoutNetwork(Programs programs, int user, Path filter) throws IOException {
        var jail = new Jail(programs, user, filter);
        jail.outside.addAll(List.of(programs.bwrap().toString(), "--unshare-net"));
        return jail.furnished();
    }

    private Jail furnished() throws IOException {
        // What only bwrap makes, it makes for its own user alone.
        for (String directory : List.of("/usr", "/etc", "/dev", "/dev/net")) {
            mounts.addAll(List.of("--perms", "0755", "--dir", directory));
        }
        for (String libraries : List.of("/usr/lib", "/usr/lib64", "/lib", "/lib64")) {
            var path = Path.of(libraries);
            if (Files.isSymbolicLink(path)) {
                mounts.addAll(List.of("--symlink", Files.readSymbolicLink(path).toString(), libraries));
            } else if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                readable(path, libraries);
            }
        }
        readable(Path.of("/etc/ld.so.cache"), "/etc/ld.so.cache");
        readable(programs.setpriv(), SETPRIV);
        readable(programs.qemu(), QEMU);
        readable(programs.firmware(), CommandLine.FIRMWARE);
        mounts.addAll(List.of("--proc", "/proc", "--perms", "0777", "--size", Integer.toString(SCRATCH_BYTES), "--tmpfs", SCRATCH));
        return this;
    }

    /// Ended with the thread that starts it. bwrap is the first process inside then, which the kernel kills with that thread, and with it all others there.
    Jail mortal() {
        life = "--die-with-parent";
        return this;
    }

    Jail readable(Path host, String inside) {
        mounts.addAll(List.of("--ro-bind", host.toString(), inside));
        return this;
    }

    Jail writable(Path host, String inside) {
        mounts.addAll(List.of("--bind", host.toString(), inside));
        return this;
    }

    Jail device(Path host, String inside) {
        mounts.addAll(List.of("--dev-bind", host.toString(), inside));
        return this;
    }

    /// @param largestFile no file can be made longer; unit: bytes
    /// @param memory opened as [#MEMORY]; empty for none
    /// @param arguments of QEMU
    List<String> command(long largestFile, String memory, List<String> arguments) {
        String id = Integer.toString(user);
        var all = new ArrayList<>(List.of("/bin/sh", "-c", LIMITS, "jail", Long.toString((largestFile + BLOCK - 1) / BLOCK), filter.toString(), memory));
        all.addAll(outside);
        // In a session of its own: what is typed at the node's terminal is not for it.
        all.addAll(List.of("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup", life, "--new-session", "--clearenv", "--seccomp", "8",
                "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"));
        all.addAll(mounts);
        all.addAll(List.of("--", SETPRIV, "--reuid=" + id, "--regid=" + id, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--", QEMU));
        all.addAll(arguments);
        return all;
    }
}
