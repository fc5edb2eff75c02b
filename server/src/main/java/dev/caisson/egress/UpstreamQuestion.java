package dev.caisson.egress;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;

/// One question to the resolvers, asked at most twice, over UDP and where the answer does not fit over TCP; each time with a new id, from a new port.
///
/// @param random safe for many threads
record UpstreamQuestion(List<InetSocketAddress> servers, Record question, RandomGenerator random) {
    /// In all, whatever the resolvers do.
    static final Duration PATIENCE = Duration.ofSeconds(3);
    private static final int TRIES = 2;
    private static final int EDNS_SIZE = 1232;
    private static final int MAX_DATAGRAM = 4096;
    private static final int MAX_TCP = 16 * 1024;
    /// Datagrams that are no answer, in one try.
    private static final int MAX_STRANGERS = 100;

    /// Never [UpstreamAnswer.Truncated], [UpstreamAnswer.Declined] or [UpstreamAnswer.NotOurs].
    UpstreamAnswer ask() {
        long until = System.nanoTime() + PATIENCE.toNanos();
        String reason = "no resolver";
        boolean extended = true;
        for (int attempt = 0; attempt < TRIES; attempt++) {
            var server = servers.get(attempt % servers.size());
            long begin = System.nanoTime();
            try {
                var answer = once(server, extended, begin + (until - begin) / (TRIES - attempt));
                if (!(answer instanceof UpstreamAnswer.Declined(int rcode))) {
                    return answer;
                }
                extended = rcode != Rcode.FORMERR && rcode != Rcode.NOTIMP;
                reason = "the resolver " + server.getAddress().getHostAddress() + " says " + Rcode.string(rcode);
            } catch (IOException e) {
                reason = "the resolver " + server.getAddress().getHostAddress() + " does not answer: " + e.getMessage();
            }
        }
        return new UpstreamAnswer.Odd(reason);
    }

    private UpstreamAnswer once(InetSocketAddress server, boolean extended, long until) throws IOException {
        int id = random.nextInt(1 << 16);
        var query = new Message(id);
        query.getHeader().setFlag(Flags.RD);
        query.addRecord(question, Section.QUESTION);
        if (extended) {
            query.addRecord(new OPTRecord(EDNS_SIZE, 0, 0), Section.ADDITIONAL);
        }
        var answer = byDatagram(server, query.toWire(), id, until);
        return answer instanceof UpstreamAnswer.Truncated ? byStream(server, query.toWire(), id, until) : answer;
    }

    private UpstreamAnswer byDatagram(InetSocketAddress server, byte[] query, int id, long until) throws IOException {
        try (var socket = new DatagramSocket()) {
            // The kernel then takes datagrams of that resolver only.
            socket.connect(server);
            socket.send(new DatagramPacket(query, query.length));
            var packet = new DatagramPacket(new byte[MAX_DATAGRAM], MAX_DATAGRAM);
            for (int strangers = 0; strangers < MAX_STRANGERS; strangers++) {
                socket.setSoTimeout(millisUntil(until));
                packet.setLength(MAX_DATAGRAM);
                socket.receive(packet);
                var answer = UpstreamAnswer.read(Arrays.copyOf(packet.getData(), packet.getLength()), id, question);
                if (!(answer instanceof UpstreamAnswer.NotOurs)) {
                    return answer;
                }
            }
            throw new IOException("it sends what nobody asked for");
        }
    }

    private UpstreamAnswer byStream(InetSocketAddress server, byte[] query, int id, long until) throws IOException {
        try (var socket = new Socket()) {
            socket.connect(server, millisUntil(until));
            socket.getOutputStream().write(ByteBuffer.allocate(query.length + 2).putShort((short) query.length).put(query).array());
            int length = Short.toUnsignedInt(ByteBuffer.wrap(exactly(socket, 2, until)).getShort());
            if (length > MAX_TCP) {
                throw new IOException("its answer has " + length + " bytes");
            }
            var answer = UpstreamAnswer.read(exactly(socket, length, until), id, question);
            if (answer instanceof UpstreamAnswer.NotOurs || answer instanceof UpstreamAnswer.Truncated) {
                throw new IOException("it answers something else over TCP");
            }
            return answer;
        }
    }

    /// Waits for all of them no longer than until then, however slowly they drip.
    private static byte[] exactly(Socket socket, int count, long until) throws IOException {
        byte[] bytes = new byte[count];
        var in = new DataInputStream(socket.getInputStream());
        for (int at = 0; at < count; ) {
            socket.setSoTimeout(millisUntil(until));
            int more = in.read(bytes, at, count - at);
            if (more < 0) {
                throw new IOException("it hangs up");
            }
            at += more;
        }
        return bytes;
    }

    private static int millisUntil(long until) throws SocketTimeoutException {
        long nanos = until - System.nanoTime();
        if (nanos <= 0) {
            throw new SocketTimeoutException("it takes too long");
        }
        return (int) (nanos / 1_000_000 + 1);
    }
}
