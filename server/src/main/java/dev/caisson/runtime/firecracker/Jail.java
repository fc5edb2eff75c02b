package dev.caisson.runtime.firecracker;

import dev.caisson.host.Child;
import dev.caisson.host.Mounts;
import dev.caisson.host.NamedPipe;
import dev.caisson.host.Stage;
import dev.caisson.runtime.microvm.Vm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The directory that is all a machine's Firecracker sees of the host, and how it is put there by the jailer.
///
/// Its parents are root's alone; itself the jailer gives to the machine's user. Images, kernel, snapshot and the door are bound into it in a mount namespace of
/// the jailer's own: never copied, also from another file system, and gone with the last process in there. The door is bound and not the socket in it, since a
/// node that starts again makes a new socket.
/// Once its API socket is there it is moved out, to where nobody but root can put another thing in its place.
record Jail(Vm vm) {
    /// Names in the jail.
    static final String API = "a";
    static final String KERNEL = "kernel";
    static final String INITRAMFS = "initramfs";
    static final String ROOT = "root";
    static final String DISK = "disk";
    static final String STATE = "state";
    static final String MEMORY = "memory";
    static final String FROZEN_STATE = "frozen-state";
    static final String FROZEN_MEMORY = "frozen-memory";
    static final String VSOCK = "v";
    static final String LOG = "log";
    static final String METRICS = "metrics";
    private static final String DOOR = "door";

    /// The jailer demands one; what else is named by it is only in here.
    private static final String ID = "vm";
    private static final Map<String, String> ENV = Map.of("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    private static final Duration JAILER_BOUND = Duration.ofSeconds(30);
    private static final Duration LOOK_AGAIN = Duration.ofNanos(200_000);
    private static final int OPEN_FILES = 2048;
    /// Beyond disk and memory the largest file that Firecracker writes is a snapshot's state.
    private static final long LARGEST_STATE = 64 << 20;

    /// What is bound into it.
    ///
    /// @param readOnly name in the jail, file on the host; each fit for every user to read
    record Content(Map<String, Path> readOnly) {
        Content {
            readOnly = new LinkedHashMap<>(readOnly);
        }
    }

    Path root() {
        return vm.workshop().resolve("firecracker").resolve(ID).resolve("root");
    }

    /// Where the API socket is once it has been moved.
    Path api() {
        return vm.workshop().resolve("api");
    }

    Path pipe(String name) {
        return root().resolve(name);
    }

    /// What the jailer says.
    Path words() {
        return vm.workshop().resolve("jailer.log");
    }

    /// Makes it, so that everything has a place to be bound to.
    void make(Content content) throws IOException {
        for (var file : content.readOnly().values()) {
            requireReadable(file);
        }
        Files.createDirectories(vm.workshop());
        seal(vm.workshop(), "rwx------");
        Files.createDirectories(root());
        for (String name : content.readOnly().keySet()) {
            Files.createFile(root().resolve(name));
        }
        Files.createFile(root().resolve(DISK));
        Files.createDirectory(root().resolve(DOOR));
        Files.createSymbolicLink(root().resolve(VSOCK + "_" + FirecrackerVmm.AGENT_PORT), Path.of(DOOR).resolve(vm.agentSocket().getFileName()));
        NamedPipe.make(pipe(LOG), vm.user());
        NamedPipe.make(pipe(METRICS), vm.user());
    }

    private void requireReadable(Path file) throws IOException {
        if (!Files.getPosixFilePermissions(file).contains(PosixFilePermission.OTHERS_READ)) {
            throw new IOException("Firecracker runs as user " + vm.user() + ", who cannot read " + file + ": make it readable for all (its directory need not be)");
        }
    }

    /// Runs the jailer; it leaves Firecracker running, in the machine's cgroup.
    void run(Programs programs, Content content, List<Path> joinFiles, @Nullable Console console) throws IOException, InterruptedException {
        var input = console == null ? Path.of("/dev/null") : console.input();
        var output = console == null ? words() : console.output();
        var exit = new Child(command(programs, console != null), ENV, input, output, joinFiles, Stage.alone(() -> {
            for (var entry : content.readOnly().entrySet()) {
                Mounts.bind(entry.getValue(), root().resolve(entry.getKey()), true);
            }
            Mounts.bind(vm.disk(), root().resolve(DISK), false);
            Mounts.bind(door(), root().resolve(DOOR), true);
        })).run(JAILER_BOUND);
        if (!exit.ok()) {
            throw new IOException("the jailer ended with status " + exit.status() + (exit.tail().isEmpty() ? "" : ": " + exit.tail()));
        }
    }

    private Path door() {
        var door = vm.agentSocket().getParent();
        if (door == null) {
            throw new IllegalArgumentException("the agent's socket is in no directory: " + vm.agentSocket());
        }
        return door;
    }

    /// The jailer makes namespaces for mounts and processes, and joins the network's; those of host name and IPC are made before it. It has no word about cgroups: then it
    /// stays in the one that it was started in. A namespace of cgroups would show nothing less, since there is no /proc in the jail.
    private List<String> command(Programs programs, boolean keepStreams) throws IOException {
        long largest = Math.max(Files.size(vm.disk()), vm.shape().memory().bytes()) + LARGEST_STATE;
        var argv = new ArrayList<>(List.of(
                programs.jailer().toString(),
                "--id", ID,
                "--exec-file", programs.firecracker().toString(),
                "--uid", Integer.toString(vm.user()),
                "--gid", Integer.toString(vm.user()),
                "--chroot-base-dir", vm.workshop().toString(),
                "--netns", vm.network().toString(),
                "--new-pid-ns",
                "--resource-limit", "no-file=" + OPEN_FILES,
                "--resource-limit", "fsize=" + largest));
        if (!keepStreams) {
            // Its standard streams become /dev/null: a guest that is root can write to a serial port that its kernel was told not to use.
            argv.add("--daemonize");
        }
        argv.addAll(List.of("--", "--api-sock", "/" + API, "--log-path", "/" + LOG, "--level", "Warning", "--show-level", "--metrics-path", "/" + METRICS));
        return argv;
    }

    /// Waits until Firecracker has made its API socket and moves it out.
    ///
    /// @param lives tells whether waiting makes sense, or why not
    void awaitApi(Duration bound, Life lives) throws IOException, InterruptedException {
        var socket = root().resolve(API);
        long until = System.nanoTime() + bound.toNanos();
        for (int look = 1; !Files.exists(socket, LinkOption.NOFOLLOW_LINKS); look++) {
            if (look % 16 == 0) {
                lives.check();
            }
            if (System.nanoTime() > until) {
                throw new IOException("its API socket did not appear within " + bound.toSeconds() + " s");
            }
            Thread.sleep(LOOK_AGAIN);
        }
        Files.move(socket, api(), StandardCopyOption.ATOMIC_MOVE);
    }

    /// Takes the directories of the jail from the machine's user, when Firecracker has made its sockets and before anything of the guest's owner runs: a guest that took its VMM
    /// could otherwise fill the host's disk with files.
    void seal() throws IOException {
        for (String directory : new String[] {"", "run", "dev", "dev/net"}) {
            seal(root().resolve(directory), "rwxr-xr-x");
        }
    }

    private static void seal(Path directory, String permissions) throws IOException {
        Files.setAttribute(directory, "unix:uid", 0, LinkOption.NOFOLLOW_LINKS);
        Files.setAttribute(directory, "unix:gid", 0, LinkOption.NOFOLLOW_LINKS);
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString(permissions));
    }

    /// Makes a place for a file that Firecracker is to write.
    void prepare(String name) throws IOException {
        Files.deleteIfExists(root().resolve(name));
        var file = Files.createFile(root().resolve(name), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.setAttribute(file, "unix:uid", vm.user(), LinkOption.NOFOLLOW_LINKS);
    }

    /// Whether jailer and Firecracker may still come up.
    @FunctionalInterface
    interface Life {
        /// Errors: an [IOException] when they cannot.
        void check() throws IOException, InterruptedException;
    }
}
