package dev.caisson.runtime.firecracker;

import dev.caisson.json.Json;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.Snapshot;
import dev.caisson.runtime.microvm.Vm;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import tools.jackson.core.JsonGenerator;

/// A machine by jailer and API alone, as Firecracker's own guides have it: hard links, namespaces as far as the jailer makes them, nothing checked.
///
/// @param grouped whether the jailer puts it into a cgroup too, by its own means
record BareFirecracker(Vm vm, Serial serial, boolean grouped) {
    private static final String ID = "vm";
    private static final Path CGROUPS = Path.of("/sys/fs/cgroup");
    private static final List<String> CONTROLLERS = List.of("cpu", "memory", "pids");

    void start(GuestKernel guest) throws IOException {
        var root = jail();
        Files.createLink(root.resolve("kernel"), guest.vmlinux());
        Files.createLink(root.resolve("initramfs"), guest.initramfs());
        link(root);
        jailer();
        try (var api = connect(root)) {
            put(api, "/boot-source", out -> {
                out.writeStringProperty("kernel_image_path", "/kernel");
                out.writeStringProperty("initrd_path", "/initramfs");
                out.writeStringProperty("boot_args", guest.commandLine("vsock:1024"));
            });
            put(api, "/machine-config", out -> {
                out.writeNumberProperty("vcpu_count", 1);
                out.writeNumberProperty("mem_size_mib", vm.shape().memory().bytes() >> 20);
            });
            for (String drive : List.of("root", "disk")) {
                put(api, "/drives/" + drive, out -> {
                    out.writeStringProperty("drive_id", drive);
                    out.writeStringProperty("path_on_host", "/" + drive);
                    out.writeBooleanProperty("is_root_device", false);
                    out.writeBooleanProperty("is_read_only", drive.equals("root"));
                });
            }
            put(api, "/network-interfaces/eth0", out -> {
                out.writeStringProperty("iface_id", "eth0");
                out.writeStringProperty("host_dev_name", vm.tap());
            });
            put(api, "/vsock", out -> {
                out.writeNumberProperty("guest_cid", 3);
                out.writeStringProperty("uds_path", "/v");
            });
            put(api, "/entropy", _ -> {});
            put(api, "/balloon", out -> {
                out.writeNumberProperty("amount_mib", 0);
                out.writeBooleanProperty("deflate_on_oom", true);
            });
            put(api, "/actions", out -> out.writeStringProperty("action_type", "InstanceStart"));
        }
    }

    void restore(Snapshot snapshot) throws IOException {
        var root = jail();
        Files.createLink(root.resolve("memory"), snapshot.memoryFile());
        Files.write(root.resolve("state"), snapshot.state());
        link(root);
        jailer();
        try (var api = connect(root)) {
            put(api, "/snapshot/load", out -> {
                out.writeStringProperty("snapshot_path", "/state");
                out.writeObjectPropertyStart("mem_backend");
                out.writeStringProperty("backend_type", "File");
                out.writeStringProperty("backend_path", "/memory");
                out.writeEndObject();
                out.writeBooleanProperty("resume_vm", true);
            });
        }
    }

    /// Its cgroup below the machine's, where the jailer looks for it.
    BareFirecracker prepared() throws IOException {
        for (String controller : grouped ? CONTROLLERS : List.<String>of()) {
            Files.createDirectory(CGROUPS.resolve(controller).resolve(vm.cgroup()).resolve(ID));
        }
        return this;
    }

    /// Ends it.
    void end() throws IOException {
        long pid = Long.parseLong(Files.readString(vm.workshop().resolve("firecracker/vm/root/firecracker.pid")).strip());
        ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        while (Files.exists(Path.of("/proc/" + pid + "/exe"))) {
            Thread.onSpinWait();
        }
    }

    private Path jail() throws IOException {
        return Files.createDirectories(vm.workshop().resolve("firecracker/vm/root"));
    }

    private void link(Path root) throws IOException {
        Files.createLink(root.resolve("root"), vm.root());
        Files.createLink(root.resolve("disk"), vm.disk());
    }

    private void jailer() throws IOException {
        var argv = new ArrayList<>(List.of(
                Lab.PROGRAMS.jailer().toString(), "--id", ID, "--exec-file", Lab.PROGRAMS.firecracker().toString(),
                "--uid", Integer.toString(vm.user()), "--gid", Integer.toString(vm.user()), "--chroot-base-dir", vm.workshop().toString(),
                "--netns", vm.network().toString(), "--new-pid-ns", "--resource-limit", "no-file=2048", "--resource-limit", "fsize=1000000000"));
        if (grouped) {
            argv.addAll(List.of("--parent-cgroup", vm.cgroup(), "--cgroup", "cpu.shares=1024", "--cgroup", "memory.swappiness=60", "--cgroup", "pids.max=64"));
        }
        argv.addAll(List.of("--", "--api-sock", "/a"));
        var builder = new ProcessBuilder(argv);
        builder.redirectInput(serial.console().input().toFile());
        builder.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(serial.console().output().toFile()));
        builder.start();
    }

    private static SocketChannel connect(Path root) throws IOException {
        var address = UnixDomainSocketAddress.of(root.resolve("a"));
        while (true) {
            var channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            try {
                channel.connect(address);
                return channel;
            } catch (IOException _) {
                channel.close();
                java.util.concurrent.locks.LockSupport.parkNanos(100_000);
            }
        }
    }

    private static void put(SocketChannel api, String path, Consumer<JsonGenerator> keys) throws IOException {
        var body = Json.object(keys);
        var head = ("PUT " + path + " HTTP/1.1\r\nContent-Length: " + body.length + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII);
        api.write(ByteBuffer.allocate(head.length + body.length).put(head).put(body).flip());
        var answer = ByteBuffer.allocate(4096);
        api.read(answer);
        var text = StandardCharsets.US_ASCII.decode(answer.flip()).toString();
        if (!text.startsWith("HTTP/1.1 204")) {
            throw new IOException(path + ": " + text);
        }
    }
}
