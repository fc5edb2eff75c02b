package dev.caisson.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/// A network namespace kept alive by a bind mount, with a loopback interface and nothing else: no neighbour, no route.
///
/// @param path where it is bound
public record NetworkNamespace(Path path) {
    private static final long SIOCSIFFLAGS = 0x8914;
    private static final short IFF_UP = 1;

    /// What else a new namespace gets; runs on a thread that is in it.
    @FunctionalInterface
    interface Furnishing {
        void furnish() throws IOException;
    }

    /// Makes it, with loopback up.
    public void create() throws IOException, InterruptedException {
        create(() -> {});
    }

    void create(Furnishing furnishing) throws IOException, InterruptedException {
        Files.createFile(path);
        OwnThread.leaving(OwnThread.Namespace.NETWORK, () -> {
            NativeLinux.unshare(NativeLinux.CLONE_NEWNET, "network namespace");
            loopbackUp();
            // Root of a container does not own this namespace, so it has no special right in it; any port of its own loopback is harmless.
            Files.writeString(Path.of("/proc/sys/net/ipv4/ip_unprivileged_port_start"), "0");
            furnishing.furnish();
            NativeLinux.mount("/proc/thread-self/ns/net", path.toString(), "none", NativeLinux.MS_BIND, "");
            return path;
        });
    }

    /// Packets that its kernel refused because there was no route. 0 when it is gone.
    public long refusedPackets() throws IOException, InterruptedException {
        if (!Files.exists(path)) {
            return 0;
        }
        return OwnThread.leaving(OwnThread.Namespace.NETWORK, () -> {
            int fd = NativeLinux.open(path.toString(), NativeLinux.O_RDONLY);
            try {
                NativeLinux.setns(fd, NativeLinux.CLONE_NEWNET, path.toString());
            } finally {
                NativeLinux.close(fd);
            }
            return NetworkCounters.noRoute(
                    Files.readString(Path.of("/proc/thread-self/net/snmp")), Files.readString(Path.of("/proc/thread-self/net/snmp6")));
        });
    }

    private static void loopbackUp() throws IOException {
        // struct ifreq: 16 bytes of name, then flags.
        var request = ByteBuffer.allocate(40).order(ByteOrder.nativeOrder());
        request.put((byte) 'l').put((byte) 'o');
        request.putShort(16, IFF_UP);
        int socket = NativeLinux.socket(NativeLinux.AF_INET, NativeLinux.SOCK_DGRAM, 0);
        try {
            NativeLinux.ioctl(socket, "SIOCSIFFLAGS lo", SIOCSIFFLAGS, request.array());
        } finally {
            NativeLinux.close(socket);
        }
    }
}
