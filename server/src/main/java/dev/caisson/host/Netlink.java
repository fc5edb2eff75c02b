package dev.caisson.host;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;

/// A netlink socket: it belongs to the network namespace of the thread that opened it, whoever uses it.
///
/// The kernel answers within the call that asks, so nobody waits.
/// Threads: safe for many. Cleanup: close.
final class Netlink implements AutoCloseable {
    static final int ROUTE = 0;
    static final int NETFILTER = 12;
    private static final int NLMSG_ERROR = 2;
    private static final int REPLY_BYTES = 8 * 1024;

    private final int fd;
    private int sequence;
    private boolean closed;

    private Netlink(int fd) {
        this.fd = fd;
    }

    static Netlink open(int protocol) throws IOException {
        return new Netlink(NativeLinux.socket(NativeLinux.AF_NETLINK, NativeLinux.SOCK_RAW, protocol));
    }

    int fd() {
        return fd;
    }

    /// Asks for a change and waits until the kernel has made it. Of several messages, which go together, one waits for its answer.
    ///
    /// Errors: a [NativeException] with the kernel's error number and `what`.
    void ask(String what, NetlinkMessage... messages) throws IOException {
        exchange(what, messages);
    }

    /// Asks for something; what the kernel says comes without its header.
    Optional<byte[]> get(String what, NetlinkMessage message) throws IOException {
        return exchange(what, message);
    }

    private synchronized Optional<byte[]> exchange(String what, NetlinkMessage... messages) throws IOException {
        if (closed) {
            throw new IOException(what + ": the netlink socket is closed");
        }
        int number = ++sequence;
        var bytes = new ByteArrayOutputStream();
        for (NetlinkMessage message : messages) {
            bytes.writeBytes(message.finished(number));
        }
        NativeLinux.send(fd, what, bytes.toByteArray());
        Optional<byte[]> said = Optional.empty();
        byte[] reply = new byte[REPLY_BYTES];
        while (true) {
            int length = NativeLinux.receive(fd, what, reply);
            var read = ByteBuffer.wrap(reply, 0, length).order(ByteOrder.nativeOrder());
            // One datagram may hold several messages.
            for (int at = 0; at + NetlinkMessage.HEADER_BYTES + 4 <= length; at += Math.max(NetlinkMessage.HEADER_BYTES, read.getInt(at) + 3 & ~3)) {
                if (read.getInt(at + 8) != number) {
                    continue;
                }
                if (read.getShort(at + 4) != NLMSG_ERROR) {
                    said = Optional.of(Arrays.copyOfRange(reply, at + NetlinkMessage.HEADER_BYTES, Math.min(length, at + read.getInt(at))));
                    continue;
                }
                int error = read.getInt(at + NetlinkMessage.HEADER_BYTES);
                if (error != 0) {
                    throw new NativeException("netlink", what, -error);
                }
                return said;
            }
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            NativeLinux.close(fd);
        }
    }
}
