package dev.caisson.egress;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.xbill.DNS.AAAARecord;
import org.xbill.DNS.ARecord;
import org.xbill.DNS.CNAMERecord;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;

/// A DNS server on loopback that counts what it is asked, and says what a test wants, lies among it.
final class LoopbackDns implements AutoCloseable {
    /// What it says to one query.
    interface Says {
        /// The bytes to send, in order; none for silence.
        List<byte[]> to(Message query, boolean tcp) throws IOException;
    }

    private final DatagramSocket udp;
    private final ServerSocket tcp;
    private final List<String> asked = new CopyOnWriteArrayList<>();
    private final Map<String, List<Record>> zone = new ConcurrentHashMap<>();
    private volatile Says says = (query, _) -> List.of(honest(query).toWire());

    LoopbackDns() throws IOException {
        var loopback = InetAddress.getLoopbackAddress();
        tcp = new ServerSocket(0, 50, loopback);
        udp = new DatagramSocket(new InetSocketAddress(loopback, tcp.getLocalPort()));
        Thread.ofVirtual().start(this::serveUdp);
        Thread.ofVirtual().start(this::serveTcp);
    }

    InetSocketAddress place() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), tcp.getLocalPort());
    }

    /// `TYPE name`, in the order they came.
    List<String> asked() {
        return asked;
    }

    LoopbackDns says(Says other) {
        says = other;
        return this;
    }

    LoopbackDns has(String name, String... addresses) throws IOException {
        var records = new java.util.ArrayList<Record>();
        for (String text : addresses) {
            var address = InetAddress.ofLiteral(text);
            records.add(address.getAddress().length == 4 ? new ARecord(name(name), DClass.IN, 60, address) : new AAAARecord(name(name), DClass.IN, 60, address));
        }
        zone.put(name, records);
        return this;
    }

    LoopbackDns alias(String name, String target) throws IOException {
        zone.put(name, List.of(new CNAMERecord(name(name), DClass.IN, 60, name(target))));
        return this;
    }

    static Name name(String text) throws IOException {
        return Name.fromString(text, Name.root);
    }

    /// What the zone has, aliases followed.
    Message honest(Message query) {
        var reply = begun(query);
        Name here = query.getQuestion().getName();
        for (int i = 0; i < 20; i++) {
            var records = Optional.ofNullable(zone.get(here.toString(true).toLowerCase(java.util.Locale.ROOT)));
            if (records.isEmpty()) {
                reply.getHeader().setRcode(Rcode.NXDOMAIN);
                return reply;
            }
            Optional<Name> next = Optional.empty();
            for (Record record : records.get()) {
                if (record.getType() == query.getQuestion().getType() || record.getType() == Type.CNAME) {
                    reply.addRecord(record, Section.ANSWER);
                }
                next = record instanceof CNAMERecord alias ? Optional.of(alias.getTarget()) : next;
            }
            if (next.isEmpty()) {
                return reply;
            }
            here = next.get();
        }
        return reply;
    }

    static Message begun(Message query) {
        var reply = new Message(query.getHeader().getID());
        reply.getHeader().setFlag(Flags.QR);
        reply.getHeader().setFlag(Flags.RA);
        reply.addRecord(query.getQuestion(), Section.QUESTION);
        return reply;
    }

    private List<byte[]> answers(byte[] bytes, boolean overTcp) throws IOException {
        var query = new Message(bytes);
        asked.add(Type.string(query.getQuestion().getType()) + " " + query.getQuestion().getName().toString(true) + (overTcp ? " tcp" : ""));
        return says.to(query, overTcp);
    }

    private void serveUdp() {
        var packet = new DatagramPacket(new byte[4096], 4096);
        while (!udp.isClosed()) {
            try {
                packet.setLength(4096);
                udp.receive(packet);
                for (byte[] answer : answers(Arrays.copyOf(packet.getData(), packet.getLength()), false)) {
                    udp.send(new DatagramPacket(answer, answer.length, packet.getSocketAddress()));
                }
            } catch (IOException _) {
                // Closed, or a client that has gone.
            }
        }
    }

    private void serveTcp() {
        while (!tcp.isClosed()) {
            try {
                Socket connection = tcp.accept();
                Thread.ofVirtual().start(() -> serve(connection));
            } catch (IOException _) {
                // Closed.
            }
        }
    }

    /// Each piece is sent as it is, with its length before it; the connection stays open until its client closes it.
    private void serve(Socket connection) {
        try (connection) {
            var in = new DataInputStream(connection.getInputStream());
            byte[] query = in.readNBytes(in.readUnsignedShort());
            for (byte[] answer : answers(query, true)) {
                connection.getOutputStream().write(ByteBuffer.allocate(answer.length + 2).putShort((short) answer.length).put(answer).array());
            }
            in.read();
        } catch (IOException _) {
            // The client has what it wanted.
        }
    }

    @Override
    public void close() throws IOException {
        udp.close();
        tcp.close();
    }
}
