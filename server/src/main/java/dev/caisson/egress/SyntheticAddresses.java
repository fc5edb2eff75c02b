package dev.caisson.egress;

import dev.caisson.sandbox.Cidr;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// The addresses that stand for names in one sandbox: each name has one of either kind, and an address never comes to mean another name.
///
/// That holds when the gateway is started again, too: names are in a file before their address is told to anybody, so an address that a sandbox has kept means what
/// it meant. What has no name is nobody's. The file is not synced to disk: what survives the gateway's end is enough, the host's end is the sandboxes' too.
///
/// On disk: a line per name, oldest first, `INDEX NAME\n` in ASCII, INDEX decimal (see [#MAX_NAMES] and the constructor); written by the gateway alone. A last line that was
/// cut off was told to nobody, and is cut away.
/// Threads: safe for many. Cleanup: close lets the file go; who has the sandbox's directory removes it.
final class SyntheticAddresses implements AutoCloseable {
    /// The two addresses of a name.
    record Pair(Inet4Address four, Inet6Address six) {}

    static final Cidr FOUR = Cidr.parse("198.18.0.0/15");
    static final Cidr SIX = Cidr.parse("fdca:1550:5::/96");
    /// In one sandbox; the next one is refused.
    static final int MAX_NAMES = 4_096;
    /// Indexes are 1 to this: the network's first and last address are left out.
    static final int MAX_INDEX = (1 << 17) - 2;
    private static final int FOUR_BASE = 198 << 24 | 18 << 16;
    private static final long MAX_FILE = MAX_NAMES * 264L;

    private final FileChannel file;
    private final Map<String, Integer> indexes = new HashMap<>();
    private final Map<Integer, String> names = new HashMap<>();
    private int next;

    private SyntheticAddresses(FileChannel file, int start) {
        this.file = file;
        this.next = Math.floorMod(start, MAX_INDEX) + 1;
    }

    /// Takes up what the file has, or begins it.
    ///
    /// @param start any number, best a random one, so that the addresses of one sandbox say nothing about another's
    /// Errors: [IOException] when the file is not what was written; the sandbox is then better without a way out than with addresses that mean something else.
    static SyntheticAddresses open(Path file, int start) throws IOException {
        var channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        try {
            var addresses = new SyntheticAddresses(channel, start);
            addresses.takeUp(file);
            return addresses;
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /// True for every address that could stand for a name, whether one has it or not.
    static boolean areThese(InetAddress address) {
        return FOUR.contains(address) || SIX.contains(address);
    }

    private void takeUp(Path path) throws IOException {
        if (file.size() > MAX_FILE) {
            throw new IOException(path + " has " + file.size() + " bytes, more than " + MAX_NAMES + " names take");
        }
        var bytes = ByteBuffer.allocate((int) file.size());
        while (bytes.hasRemaining() && file.read(bytes, bytes.position()) >= 0) {
            // Goes on until all is there.
        }
        String text = StandardCharsets.US_ASCII.decode(bytes.flip()).toString();
        int whole = text.lastIndexOf('\n') + 1;
        if (whole > 0) {
            for (String line : text.substring(0, whole - 1).split("\n", -1)) {
                takeUpLine(path, line);
            }
        }
        file.truncate(whole);
        file.position(whole);
    }

    private void takeUpLine(Path path, String line) throws IOException {
        int space = line.indexOf(' ');
        int index = space > 0 && space <= 6 && line.chars().limit(space).allMatch(c -> c >= '0' && c <= '9') ? Integer.parseInt(line, 0, space, 10) : 0;
        if (index < 1 || index > MAX_INDEX || names.size() == MAX_NAMES || !isNormal(line.substring(space + 1))) {
            throw new IOException(path + " has a line that was not written here");
        }
        String name = line.substring(space + 1);
        if (names.put(index, name) != null || indexes.put(name, index) != null) {
            throw new IOException(path + " has a name or an address twice");
        }
        next = after(index);
    }

    private static boolean isNormal(String name) {
        try {
            return HostPattern.normal(name).equals(name);
        } catch (SandboxException _) {
            return false;
        }
    }

    private static int after(int index) {
        return index % MAX_INDEX + 1;
    }

    /// The name's addresses, the same ones each time; empty when there are too many names, or they cannot be written down.
    ///
    /// @param name in its one spelling
    synchronized Optional<Pair> of(String name) {
        Integer index = indexes.get(name);
        if (index == null) {
            if (names.size() == MAX_NAMES || !isNormal(name) || !written(next + " " + name + "\n")) {
                return Optional.empty();
            }
            index = next;
            next = after(next);
            indexes.put(name, index);
            names.put(index, name);
        }
        return Optional.of(pair(index));
    }

    /// The name that an address stands for here.
    synchronized Optional<String> nameOf(InetAddress address) {
        if (!areThese(address)) {
            return Optional.empty();
        }
        byte[] bytes = address.getAddress();
        return Optional.ofNullable(names.get(ByteBuffer.wrap(bytes).getInt(bytes.length - 4) - FOUR_BASE));
    }

    synchronized int count() {
        return names.size();
    }

    private boolean written(String line) {
        try {
            long begin = file.position();
            try {
                var bytes = StandardCharsets.US_ASCII.encode(line);
                while (bytes.hasRemaining()) {
                    file.write(bytes);
                }
                return true;
            } catch (IOException e) {
                // Half a line in the middle would make the rest unreadable.
                file.truncate(begin);
                throw e;
            }
        } catch (IOException _) {
            return false;
        }
    }

    /// The last four bytes of either are the same: the IPv4 address.
    private static Pair pair(int index) {
        try {
            byte[] four = ByteBuffer.allocate(4).putInt(FOUR_BASE + index).array();
            byte[] six = ByteBuffer.allocate(16).putShort((short) 0xfdca).putShort((short) 0x1550).putShort((short) 5).putInt(12, FOUR_BASE + index).array();
            return new Pair((Inet4Address) InetAddress.getByAddress(four), (Inet6Address) InetAddress.getByAddress(six));
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public synchronized void close() throws IOException {
        file.close();
    }
}
