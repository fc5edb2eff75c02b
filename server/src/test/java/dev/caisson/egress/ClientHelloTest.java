package dev.caisson.egress;

import static dev.caisson.egress.WrittenHello.join;
import static dev.caisson.egress.WrittenHello.vector;
import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SandboxException;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SNIMatcher;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What the first words of TLS say, and every way to say them that is refused.
class ClientHelloTest {
    private static final String NAME = "api.example.com";
    private static final ClientHello.Hello WANTED = new ClientHello.Hello(Optional.of(NAME), false, List.of("h2", "http/1.1"));

    @Test
    void readsWhatJavaSays() throws Exception {
        holds(RealHellos.java(NAME, "h2", "http/1.1"), WANTED);
        holds(RealHellos.java(""), new ClientHello.Hello(Optional.empty(), false, List.of()));
    }

    @Test
    void readsWhatOpensslSays() throws Exception {
        holds(RealHellos.openssl(NAME), WANTED);
        holds(RealHellos.openssl("API.Example.COM"), WANTED);
        holds(RealHellos.openssl(NAME, "-tls1_2"), WANTED);
    }

    @Test
    void readsWhatPythonSays() throws Exception {
        holds(RealHellos.python(NAME), WANTED);
    }

    @Test
    void readsWhatGoSays() throws Exception {
        holds(RealHellos.go(NAME), WANTED);
    }

    /// Whole, cut anywhere, in small records, and with early data behind it.
    private static void holds(byte[] hello, ClientHello.Hello wanted) {
        assertThat(ClientHello.read(ByteBuffer.wrap(hello))).isEqualTo(wanted);
        for (int cut = 0; cut < hello.length; cut++) {
            assertThat(ClientHello.read(ByteBuffer.wrap(hello, 0, cut))).as("cut at %d", cut).isInstanceOf(ClientHello.NeedMore.class);
        }
        byte[] message = Arrays.copyOfRange(hello, 5, hello.length);
        byte[] small = WrittenHello.inRecords(message, message.length / 15 + 1);
        assertThat(ClientHello.read(ByteBuffer.wrap(small))).isEqualTo(wanted);
        for (int cut = 0; cut < small.length; cut++) {
            assertThat(ClientHello.read(ByteBuffer.wrap(small, 0, cut))).as("cut at %d", cut).isInstanceOf(ClientHello.NeedMore.class);
        }
        assertThat(ClientHello.read(ByteBuffer.wrap(join(hello, new byte[] {20, 3, 3, 0, 1, 1, 23, 3})))).isEqualTo(wanted);
        assertThat(ClientHello.read(ByteBuffer.wrap(join(hello, hello)))).isInstanceOf(ClientHello.Malformed.class);
        var placed = ByteBuffer.wrap(join(new byte[] {9, 9, 9}, hello)).position(3);
        assertThat(ClientHello.read(placed)).isEqualTo(wanted);
        assertThat(placed.position()).isEqualTo(3);
    }

    @Test
    void readsOneWrittenByHand() {
        assertThat(new WrittenHello().name(NAME).read()).isEqualTo(new ClientHello.Hello(Optional.of(NAME), false, List.of()));
        assertThat(new WrittenHello().name("API.example.COM.").read()).isEqualTo(new ClientHello.Hello(Optional.of(NAME), false, List.of()));
        assertThat(new WrittenHello().read()).isEqualTo(new ClientHello.Hello(Optional.empty(), false, List.of()));
    }

    @ParameterizedTest
    @ValueSource(ints = {0xfe0d, 0xfe08, 0xffce})
    void seesAnEncryptedHello(int type) {
        assertThat(new WrittenHello().name(NAME).extension(type, new byte[40]).read()).isEqualTo(new ClientHello.Hello(Optional.of(NAME), true, List.of()));
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "", ".", "..", "192.0.2.1", "192.0.2.1.", "2001:db8::1", "[2001:db8::1]", "2852039166", "0x7f.1", "169.254.43518", "a..example.com", ".example.com", "api.example.com..", "-a.example.com",
        "evil.test\0.example.com", "api.example.com\0", "api.example.com\n", " api.example.com", "api.example.com ", "api example.com", "api.example.com:443", "api.example.com/", "user@api.example.com",
        "*.example.com", "b\u00fccher.example", "api\u3002example.com", "api.example.com%00", "%61pi.example.com", "\u212api.example.com", "fe80::1%eth0"})
    void refusesWhatIsNotAHostsName(String name) {
        assertThat(new WrittenHello().name(name.getBytes(StandardCharsets.UTF_8)).read()).isInstanceOf(ClientHello.Malformed.class);
        assertThat(new WrittenHello().name(name.getBytes(StandardCharsets.ISO_8859_1)).read()).isInstanceOf(ClientHello.Malformed.class);
    }

    @Test
    void refusesTwoNames() {
        byte[] one = join(new byte[] {0}, vector(2, NAME.getBytes(StandardCharsets.US_ASCII)));
        byte[] other = join(new byte[] {0}, vector(2, "evil.test".getBytes(StandardCharsets.US_ASCII)));
        refused(new WrittenHello().extension(0, vector(2, join(one, other))), "more than one server name");
        refused(new WrittenHello().extension(0, vector(2, join(one, one))), "more than one server name");
        refused(new WrittenHello().name(NAME).name("evil.test"), "extension 0 twice");
        refused(new WrittenHello().name(NAME).extension(5, new byte[5]).extension(5, new byte[5]), "extension 5 twice");
        refused(new WrittenHello().extension(0, vector(2, join(new byte[] {1}, vector(2, NAME.getBytes(StandardCharsets.US_ASCII))))), "not a host's name");
        refused(new WrittenHello().extension(0, vector(2, join(new byte[] {1, 0, 1, 65}, one))), "not a host's name");
    }

    @Test
    void refusesLengthsThatDoNotAddUp() {
        byte[] name = join(new byte[] {0}, vector(2, NAME.getBytes(StandardCharsets.US_ASCII)));
        refused(new WrittenHello().extension(0, new byte[] {}), "ends early");
        refused(new WrittenHello().extension(0, new byte[] {0, 0}), "empty");
        refused(new WrittenHello().extension(0, join(vector(2, name), new byte[] {0})), "behind the end");
        refused(new WrittenHello().extension(0, join(WrittenHello.number(2, name.length + 1), name)), "longer than what it is in");
        refused(new WrittenHello().extension(0, vector(2, new byte[] {0, 0, 9, 65})), "longer than what it is in");
        refused(new WrittenHello().extension(0, vector(2, new byte[] {0, 0})), "ends early");
        refused(new WrittenHello().raw(new byte[] {0}), "ends early");
        refused(new WrittenHello().raw(new byte[] {0, 5, 0}), "ends early");
        refused(new WrittenHello().raw(new byte[] {0, 5, 0, 1}), "longer than what it is in");
        refused(new WrittenHello().name(NAME).behind(new byte[] {1}), "behind the end");
        refused(new WrittenHello().extension(16, vector(2, new byte[] {})), "list of protocols is empty");
        refused(new WrittenHello().extension(16, vector(2, new byte[] {0})), "without a name");
        refused(new WrittenHello().extension(16, vector(2, new byte[] {3, 'h', '2'})), "longer than what it is in");
    }

    private static void refused(WrittenHello hello, String reason) {
        assertThat(hello.read()).isInstanceOfSatisfying(ClientHello.Malformed.class, malformed -> assertThat(malformed.reason()).contains(reason));
    }

    @Test
    void refusesRecordsThatAreNotAHello() {
        byte[] good = new WrittenHello().name(NAME).bytes();
        byte[] message = new WrittenHello().name(NAME).message();
        refused(with(good, 0, 23), "not of the handshake");
        refused(with(good, 1, 2), "version");
        refused(with(good, 2, 9), "version");
        refused(with(good, 5, 2), "client's hello");
        refused(with(good, 6, 1), "more than 16384 bytes");
        refused(with(good, 9, 2), "version");
        refused(with(good, 4, good.length - 5 + 1), "more in the hello's last record");
        refused(WrittenHello.inRecords(join(message, new byte[] {0}), 16_384), "more in the hello's last record");
        refused(WrittenHello.inRecords(join(message, message), 16_384), "more in the hello's last record");
        refused(join(good, "GET / HTTP/1.1".getBytes(StandardCharsets.US_ASCII)), "follows the hello");
        refused(new byte[] {22, 3, 1, 0, 0}, "has 0 bytes");
        refused(new byte[] {22, 3, 1, 0x40, 1}, "has 16385 bytes");
        refused(WrittenHello.inRecords(message, 2), "more than 16 records");
        refused(new byte[] {(byte) 0x80, 0x2e, 1, 0, 2}, "not of the handshake");
    }

    private static void refused(byte[] bytes, String reason) {
        assertThat(ClientHello.read(ByteBuffer.wrap(bytes))).isInstanceOfSatisfying(ClientHello.Malformed.class, malformed -> assertThat(malformed.reason()).contains(reason));
    }

    private static byte[] with(byte[] bytes, int at, int value) {
        byte[] changed = bytes.clone();
        changed[at] = (byte) value;
        return changed;
    }

    @Test
    void readsTheLargestAndRefusesOneByteMore() {
        int empty = new WrittenHello().name(NAME).extension(21, new byte[] {}).message().length;
        var largest = new WrittenHello().name(NAME).extension(21, new byte[ClientHello.MAX_MESSAGE - empty]);
        assertThat(largest.read()).isInstanceOf(ClientHello.Hello.class);
        byte[] spread = WrittenHello.inRecords(largest.message(), ClientHello.MAX_MESSAGE / ClientHello.MAX_RECORDS);
        assertThat(spread).hasSize(ClientHello.MAX_BYTES);
        assertThat(ClientHello.read(ByteBuffer.wrap(spread))).isInstanceOf(ClientHello.Hello.class);
        assertThat(ClientHello.read(ByteBuffer.wrap(spread, 0, spread.length - 1))).isInstanceOf(ClientHello.NeedMore.class);
        refused(new WrittenHello().name(NAME).extension(21, new byte[ClientHello.MAX_MESSAGE - empty + 1]).bytes(), "more than 16384 bytes");
    }

    @Test
    @Timeout(60)
    void neverThrowsNorAcceptsANameThatAnotherReaderDoesNotFind() throws Exception {
        var random = new Random(20_260_115);
        List<byte[]> seeds = List.of(RealHellos.java(NAME, "h2", "http/1.1"), RealHellos.java(""), new WrittenHello().name(NAME).bytes(),
                new WrittenHello().extension(10, new byte[8]).name("a.b").extension(16, vector(2, new byte[] {2, 'h', '2'})).bytes(),
                WrittenHello.inRecords(new WrittenHello().name(NAME).extension(21, new byte[300]).message(), 40));
        int named = 0;
        int[] seen = new int[3];
        var asked = new ArrayList<byte[]>();
        for (int i = 0; i < 200_000; i++) {
            byte[] bytes = mutated(seeds.get(random.nextInt(seeds.size())), random);
            switch (ClientHello.read(ByteBuffer.wrap(bytes))) {
                case ClientHello.NeedMore _ -> {
                    seen[0]++;
                    assertThat(bytes.length).isLessThan(ClientHello.MAX_BYTES);
                }
                case ClientHello.Malformed _ -> seen[1]++;
                case ClientHello.Hello hello -> {
                    seen[2]++;
                    assertThat(hello.serverName()).as("input %d", i).isEqualTo(slowly(bytes));
                    if (hello.serverName().isPresent() && named++ % 50 == 0) {
                        asked.add(bytes);
                    }
                }
            }
        }
        assertThat(Arrays.stream(seen).min().orElseThrow()).as("each answer is there often").isGreaterThan(5_000);
        for (byte[] bytes : asked) {
            Optional<String> heard = heardByJava(bytes);
            assertThat(heard).satisfiesAnyOf(nothing -> assertThat(nothing).isEmpty(), name -> assertThat(name).isEqualTo(slowly(bytes)));
        }
        assertThat(asked.stream().filter(bytes -> heardByJava(bytes).isPresent()).count()).as("Java's server hears most of them").isGreaterThan(asked.size() / 2);
    }

    private static byte[] mutated(byte[] seed, Random random) {
        byte[] bytes = seed.clone();
        int changes = random.nextInt(4);
        for (int change = 0; change < changes && bytes.length > 0; change++) {
            int at = random.nextInt(bytes.length);
            switch (random.nextInt(6)) {
                case 0 -> bytes[at] = (byte) random.nextInt(256);
                case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 2 -> bytes[at] += (byte) (random.nextBoolean() ? 1 : -1);
                case 3 -> bytes = Arrays.copyOf(bytes, at);
                case 4 -> bytes = join(Arrays.copyOf(bytes, at), new byte[] {(byte) random.nextInt(256)}, Arrays.copyOfRange(bytes, at, bytes.length));
                default -> {
                    int to = Math.min(bytes.length, at + random.nextInt(40));
                    bytes = join(Arrays.copyOf(bytes, to), Arrays.copyOfRange(bytes, at, bytes.length));
                }
            }
        }
        return bytes;
    }

    /// Another reader: takes the records apart by streams and looks for the one extension.
    private static Optional<String> slowly(byte[] bytes) {
        try {
            var records = new DataInputStream(new ByteArrayInputStream(bytes));
            byte[] message = {};
            while (message.length < 4 || message.length < 4 + ByteBuffer.wrap(message).getInt() % (1 << 24)) {
                if (records.readUnsignedByte() != 22 || records.readUnsignedByte() != 3 || records.readUnsignedByte() > 4) {
                    return Optional.of("not a record");
                }
                message = join(message, records.readNBytes(records.readUnsignedShort()));
            }
            var body = new DataInputStream(new ByteArrayInputStream(message, 4 + 2 + 32, message.length));
            body.skipNBytes(body.readUnsignedByte());
            body.skipNBytes(body.readUnsignedShort());
            body.skipNBytes(body.readUnsignedByte());
            if (body.available() == 0) {
                return Optional.empty();
            }
            var extensions = new DataInputStream(new ByteArrayInputStream(body.readNBytes(body.readUnsignedShort())));
            var names = new ArrayList<String>();
            while (extensions.available() > 0) {
                int type = extensions.readUnsignedShort();
                byte[] content = extensions.readNBytes(extensions.readUnsignedShort());
                if (type == 0) {
                    names.add(HostPattern.normal(new String(content, 5, content.length - 5, StandardCharsets.US_ASCII)));
                }
            }
            return names.size() > 1 ? Optional.of("many names") : names.stream().findFirst();
        } catch (IOException | SandboxException | IndexOutOfBoundsException e) {
            return Optional.of("odd: " + e);
        }
    }

    /// The name that a TLS server hears; empty when it refuses the hello before it comes to it.
    private static Optional<String> heardByJava(byte[] bytes) {
        try {
            var engine = SSLContext.getDefault().createSSLEngine();
            engine.setUseClientMode(false);
            var heard = new AtomicReference<>(Optional.<String>empty());
            var parameters = engine.getSSLParameters();
            parameters.setSNIMatchers(List.of(new SNIMatcher(0) {
                @Override
                public boolean matches(SNIServerName name) {
                    heard.set(Optional.of(HostPattern.normal(new String(name.getEncoded(), StandardCharsets.US_ASCII))));
                    return true;
                }
            }));
            engine.setSSLParameters(parameters);
            var in = ByteBuffer.wrap(bytes);
            var out = ByteBuffer.allocate(engine.getSession().getApplicationBufferSize());
            try {
                for (int i = 0; i < 32 && heard.get().isEmpty(); i++) {
                    var result = engine.unwrap(in, out);
                    for (Runnable task = engine.getDelegatedTask(); task != null; task = engine.getDelegatedTask()) {
                        task.run();
                    }
                    if (result.getStatus() != SSLEngineResult.Status.OK) {
                        break;
                    }
                }
            } catch (SSLException _) {
                // It was no hello to it, or it has no certificate to answer with.
            }
            return heard.get();
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
