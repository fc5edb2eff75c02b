package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xbill.DNS.AAAARecord;
import org.xbill.DNS.ARecord;
import org.xbill.DNS.DClass;
import org.xbill.DNS.EDNSOption;
import org.xbill.DNS.Flags;
import org.xbill.DNS.GenericEDNSOption;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.OPTRecord;
import org.xbill.DNS.Opcode;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;

/// What a sandbox is told about names, and what is asked for it.
@Timeout(60)
class NameServiceTest {
    private static final Set<String> ALLOWED = Set.of("api.example.com", "gon.example.com", "prv.example.com");
    private static final int[] OTHER_TYPES = {Type.TXT, Type.MX, Type.SRV, Type.HTTPS, Type.SVCB, Type.NULL, Type.ANY, Type.NS, Type.SOA, Type.PTR, Type.CNAME, Type.AXFR, 65_280};

    @TempDir
    private Path directory = Path.of("");

    private LoopbackDns dns = opened();
    private NameService service = new NameService(new Upstream(List.of(), new Random(1)));
    private NameSandbox sandbox = new NameSandbox(file(Path.of("/dev/null")), _ -> false);

    private static LoopbackDns opened() {
        try {
            return new LoopbackDns();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static SyntheticAddresses file(Path path) {
        try {
            return SyntheticAddresses.open(path, 0);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @BeforeEach
    void open() throws IOException {
        dns.has("api.example.com", "192.0.2.1").has("prv.example.com", "10.0.0.1").has("evl.example.com", "192.0.2.66");
        service = new NameService(new Upstream(List.of(dns.place()), new Random(1)));
        sandbox = new NameSandbox(file(directory.resolve("names")), ALLOWED::contains);
        sandbox.filtered = "prv.example.com"::equals;
    }

    @AfterEach
    void close() throws IOException {
        dns.close();
    }

    private static Message query(String name, int type) throws IOException {
        var query = new Message(4711);
        query.getHeader().setFlag(Flags.RD);
        query.addRecord(Record.newRecord(Name.fromString(name, Name.root), type, DClass.IN), Section.QUESTION);
        return query;
    }

    private Message answer(Message query) throws IOException, InterruptedException {
        byte[] bytes = service.answer(query.toWire(), sandbox).orElseThrow();
        assertThat(bytes.length).isLessThanOrEqualTo(NameReply.MAX_BYTES);
        var answer = new Message(bytes);
        assertThat(answer.getHeader().getID()).isEqualTo(query.getHeader().getID());
        assertThat(answer.getHeader().getFlag(Flags.QR)).isTrue();
        assertThat(answer.getHeader().getFlag(Flags.RA)).isTrue();
        assertThat(answer.getHeader().getFlag(Flags.TC) || answer.getHeader().getFlag(Flags.AA) || answer.getHeader().getFlag(Flags.AD)).isFalse();
        return answer;
    }

    @Test
    void givesAllowedNamesSyntheticAddresses() throws Exception {
        var four = answer(query("api.example.com", Type.A));
        assertThat(four.getRcode()).isEqualTo(Rcode.NOERROR);
        assertThat(four.getHeader().getFlag(Flags.RD)).isTrue();
        assertThat(four.getSection(Section.ANSWER)).containsExactly(new ARecord(LoopbackDns.name("api.example.com"), DClass.IN, 30, InetAddress.ofLiteral("198.18.0.1")));
        assertThat(four.getSection(Section.ANSWER).getFirst().getTTL()).isEqualTo(30);
        var six = answer(query("api.example.com", Type.AAAA));
        assertThat(six.getSection(Section.ANSWER)).containsExactly(new AAAARecord(LoopbackDns.name("api.example.com"), DClass.IN, 30, InetAddress.ofLiteral("fdca:1550:5::c612:1")));
        for (var message : List.of(four, six)) {
            assertThat(message.getSection(Section.AUTHORITY)).isEmpty();
            assertThat(message.getSection(Section.ADDITIONAL)).isEmpty();
        }
        assertThat(sandbox.heard()).containsExactly("ANSWERED api.example.com", "ANSWERED api.example.com");
    }

    @Test
    void echoesTheQuestionAsItWasWritten() throws Exception {
        var answer = answer(query("aPI.Example.COM", Type.A));
        assertThat(answer.getQuestion().getName().toString()).isEqualTo("aPI.Example.COM.");
        assertThat(answer.getSection(Section.ANSWER).getFirst().getName().toString()).isEqualTo("aPI.Example.COM.");
        assertThat(dns.asked()).containsExactlyInAnyOrder("A api.example.com", "AAAA api.example.com");
    }

    @Test
    void deniedUnknownAndFilteredNamesLookAlike() throws Exception {
        for (int type : new int[] {Type.A, Type.AAAA, Type.TXT, Type.HTTPS, Type.ANY, Type.PTR, 65_280}) {
            for (boolean extended : new boolean[] {true, false}) {
                var told = new java.util.HashSet<String>();
                for (String name : List.of("evl.example.com", "gon.example.com", "prv.example.com", "e\\000l.example.com", "non.example.arpa")) {
                    var query = query(name, type);
                    if (extended) {
                        query.addRecord(new OPTRecord(4096, 0, 0), Section.ADDITIONAL);
                    }
                    byte[] bytes = service.answer(query.toWire(), sandbox).orElseThrow();
                    assertThat(new Message(bytes).getRcode()).isEqualTo(Rcode.NXDOMAIN);
                    int question = query.getQuestion().getName().length() + 4;
                    told.add(HexFormat.of().formatHex(bytes, 0, 12) + HexFormat.of().formatHex(bytes, 12 + question, bytes.length));
                }
                assertThat(told).as("type %d", type).hasSize(1);
            }
        }
        assertThat(sandbox.heard()).contains("DENIED evl.example.com", "UNKNOWN gon.example.com", "FILTERED prv.example.com", "DENIED e\\000l.example.com", "DENIED non.example.arpa");
    }

    @Test
    void whatIsDeniedIsNeverAskedFor() throws Exception {
        var everything = new NameSandbox(file(directory.resolve("more")), _ -> true);
        for (int type : OTHER_TYPES) {
            service.answer(query("evl.example.com", type).toWire(), sandbox);
            service.answer(query("c2VjcmV0.evl.example.com", type).toWire(), sandbox);
            service.answer(query("1.0.18.198.in-addr.arpa", type).toWire(), everything);
            service.answer(query("ipv4only.arpa", type).toWire(), everything);
            service.answer(query("192.0.2.1", type).toWire(), everything);
            service.answer(query(".", type).toWire(), everything);
        }
        assertThat(sandbox.heard()).hasSize(2 * OTHER_TYPES.length).allMatch(line -> line.startsWith("DENIED"));
        assertThat(everything.heard()).hasSize(4 * OTHER_TYPES.length).allMatch(line -> line.startsWith("DENIED"));
        assertThat(dns.asked()).isEmpty();
        service.answer(query("evl.example.com", Type.A).toWire(), everything);
        assertThat(dns.asked()).as("the twin that is allowed").hasSize(2);
    }

    @Test
    void anAllowedNameHasNothingButAddresses() throws Exception {
        for (int type : OTHER_TYPES) {
            var answer = answer(query("api.example.com", type));
            assertThat(answer.getRcode()).as(Type.string(type)).isEqualTo(Rcode.NOERROR);
            for (int section : new int[] {Section.ANSWER, Section.AUTHORITY, Section.ADDITIONAL}) {
                assertThat(answer.getSection(section)).isEmpty();
            }
        }
        assertThat(dns.asked()).containsExactlyInAnyOrder("A api.example.com", "AAAA api.example.com");
    }

    @Test
    void answersExtensionsWithNone() throws Exception {
        var query = query("api.example.com", Type.A);
        List<EDNSOption> options = List.of(new GenericEDNSOption(10, new byte[8]), new GenericEDNSOption(65_001, new byte[100]));
        query.addRecord(new OPTRecord(65_535, 0, 0, org.xbill.DNS.ExtendedFlags.DO, options), Section.ADDITIONAL);
        var answer = answer(query);
        assertThat(answer.getSection(Section.ANSWER)).hasSize(1);
        assertThat(answer.getOPT().getPayloadSize()).isEqualTo(1232);
        assertThat(answer.getOPT().getOptions()).isEmpty();
        assertThat(answer.getOPT().getFlags()).isZero();
    }

    @Test
    void answersNothingButAQuestionOfTheInternet() throws Exception {
        var chaos = new Message(1);
        chaos.addRecord(Record.newRecord(LoopbackDns.name("version.bind"), Type.TXT, DClass.CHAOS), Section.QUESTION);
        assertThat(answer(chaos).getRcode()).isEqualTo(Rcode.REFUSED);
        var any = new Message(1);
        any.addRecord(Record.newRecord(LoopbackDns.name("api.example.com"), Type.A, DClass.ANY), Section.QUESTION);
        assertThat(answer(any).getRcode()).isEqualTo(Rcode.REFUSED);
        for (int opcode : new int[] {Opcode.IQUERY, Opcode.STATUS, 3, Opcode.NOTIFY, Opcode.UPDATE, 6, 15}) {
            byte[] bytes = query("api.example.com", Type.A).toWire();
            bytes[2] = (byte) (opcode << 3);
            byte[] answer = service.answer(bytes, sandbox).orElseThrow();
            assertThat(answer).hasSize(12);
            assertThat(answer[2] & 0xff).isEqualTo(0x80 | opcode << 3);
            assertThat(answer[3] & 0xf).isEqualTo(Rcode.NOTIMP);
        }
        assertThat(dns.asked()).isEmpty();
    }

    @Test
    void refusesWhatItDoesNotUnderstand() throws Exception {
        byte[] good = query("api.example.com", Type.A).toWire();
        byte[] extended = WrittenHello.join(with(good, 11, 1), HexFormat.of().parseHex("0000290200000000000000"));
        assertThat(new Message(service.answer(extended, sandbox).orElseThrow()).getSection(Section.ANSWER)).as("the twin that is well-formed").hasSize(1);
        assertThat(service.answer(new byte[] {}, sandbox)).isEmpty();
        assertThat(service.answer(Arrays.copyOf(good, 11), sandbox)).isEmpty();
        assertThat(service.answer(with(good, 2, 0x80), sandbox)).as("an answer").isEmpty();
        for (int cut = 12; cut < good.length; cut++) {
            malformed(Arrays.copyOf(good, cut));
        }
        for (int cut = good.length; cut < extended.length; cut++) {
            malformed(Arrays.copyOf(extended, cut));
        }
        malformed(WrittenHello.join(good, new byte[] {0}));
        malformed(WrittenHello.join(extended, new byte[] {0}));
        malformed(WrittenHello.join(good, good));
        malformed(with(good, 5, 0));
        malformed(with(good, 5, 2));
        malformed(with(good, 7, 1));
        malformed(with(good, 9, 1));
        malformed(with(good, 2, 0x02));
        malformed(with(good, 3, 1));
        malformed(with(good, 12, 0xc0));
        malformed(with(good, 12, 64));
        malformed(with(good, 12, 62));
        malformed(with(extended, 11, 2));
        malformed(with(extended, good.length, 1));
        malformed(with(extended, good.length + 2, Type.TSIG & 0xff));
        malformed(with(extended, good.length + 6, 1));
        malformed(with(extended, good.length + 10, 4));
        malformed(WrittenHello.join(with(extended, good.length + 10, 4), new byte[] {0, 10, 0, 9}));
        malformed(WrittenHello.join(with(extended, good.length + 10, 3), new byte[] {0, 10, 0}));
        assertThat(dns.asked()).hasSize(2);
    }

    private void malformed(byte[] bytes) throws InterruptedException {
        byte[] answer = service.answer(bytes, sandbox).orElseThrow();
        assertThat(answer).as(HexFormat.of().formatHex(bytes)).hasSize(12);
        assertThat(answer[3] & 0xf).isEqualTo(Rcode.FORMERR);
    }

    private static byte[] with(byte[] bytes, int at, int value) {
        byte[] changed = bytes.clone();
        changed[at] = (byte) value;
        return changed;
    }

    @Test
    void takesTheLongestNameAndQueryAndNotOneByteMore() throws Exception {
        String longest = ("a".repeat(63) + ".").repeat(3) + "a".repeat(61);
        assertThat(answer(query(longest, Type.A)).getRcode()).isEqualTo(Rcode.NXDOMAIN);
        byte[] longer = WrittenHello.join(new byte[] {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, nameOf(63, 63, 63, 62), new byte[] {0, 1, 0, 1});
        malformed(longer);
        byte[] head = with(query("api.example.com", Type.A).toWire(), 11, 1);
        for (int size : new int[] {512, 513}) {
            int option = size - head.length - 11;
            byte[] padded = WrittenHello.join(head, HexFormat.of().parseHex("000029020000000000"), ByteBuffer.allocate(6).putShort((short) option).putShort((short) 12).putShort((short) (option - 4)).array(),
                    new byte[option - 4]);
            assertThat(padded).hasSize(size);
            if (size == 512) {
                assertThat(new Message(service.answer(padded, sandbox).orElseThrow()).getSection(Section.ANSWER)).hasSize(1);
            } else {
                malformed(padded);
            }
        }
    }

    private static byte[] nameOf(int... lengths) {
        byte[] name = {};
        for (int length : lengths) {
            byte[] label = new byte[length];
            Arrays.fill(label, (byte) 'a');
            name = WrittenHello.join(name, WrittenHello.vector(1, label));
        }
        return WrittenHello.join(name, new byte[] {0});
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "api\\.example.com", "api.example\\.com", "api\\000.example.com", "api.example.com\\000", "api.example.com\\.evil.test", " api.example.com", "*.example.com", "api.example.com\\010", "b\\195\\188cher.example",
        "-api.example.com", "api/.example.com", "2852039166", "0x7f.1"})
    void namesOfOddBytesAreNobodys(String name) throws Exception {
        var everything = new NameSandbox(file(directory.resolve("more")), _ -> true);
        byte[] answer = service.answer(query(name, Type.A).toWire(), everything).orElseThrow();
        assertThat(new Message(answer).getRcode()).isEqualTo(Rcode.NXDOMAIN);
        assertThat(everything.heard()).hasSize(1).allMatch(line -> line.startsWith("DENIED "));
        assertThat(dns.asked()).isEmpty();
    }

    @Test
    void refusesWhenTheBudgetIsSpent() throws Exception {
        sandbox.inBudget = false;
        assertThat(answer(query("api.example.com", Type.A)).getRcode()).isEqualTo(Rcode.REFUSED);
        assertThat(service.answer(with(query("api.example.com", Type.A).toWire(), 5, 2), sandbox)).isEmpty();
        assertThat(dns.asked()).isEmpty();
        assertThat(sandbox.heard()).containsExactly("OVER_BUDGET api.example.com");
    }

    @Test
    void saysThatItCouldNotBeLookedUp() throws Exception {
        dns.says((_, _) -> List.of(new byte[4]));
        assertThat(answer(query("api.example.com", Type.A)).getRcode()).isEqualTo(Rcode.SERVFAIL);
        assertThat(sandbox.heard()).containsExactly("FAILED api.example.com");
    }

    @Test
    void refusesNamesBeyondTheirNumber() throws Exception {
        sandbox.full = true;
        assertThat(answer(query("api.example.com", Type.A)).getRcode()).isEqualTo(Rcode.REFUSED);
        assertThat(sandbox.heard()).containsExactly("FULL api.example.com");
    }

    @Test
    void anyBytesAreAnsweredWithinTheirBounds() throws Exception {
        var random = new Random(54);
        var query = query("api.example.com", Type.A);
        byte[] plain = query.toWire();
        query.addRecord(new OPTRecord(1232, 0, 0, 0, List.of(new GenericEDNSOption(10, new byte[8]))), Section.ADDITIONAL);
        byte[] extended = query.toWire();
        var answered = new AtomicInteger();
        var refused = new AtomicInteger();
        for (int i = 0; i < 200_000; i++) {
            byte[] bytes = (random.nextBoolean() ? plain : extended).clone();
            for (int change = random.nextInt(4); change > 0; change--) {
                int at = random.nextInt(bytes.length);
                switch (random.nextInt(4)) {
                    case 0 -> bytes[at] = (byte) random.nextInt(256);
                    case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                    case 2 -> bytes = WrittenHello.join(Arrays.copyOf(bytes, at), new byte[] {(byte) random.nextInt(256)}, Arrays.copyOfRange(bytes, at, bytes.length));
                    default -> bytes = Arrays.copyOf(bytes, Math.max(at, 1));
                }
            }
            var answer = service.answer(bytes, sandbox);
            if (answer.isPresent()) {
                byte[] told = answer.get();
                assertThat(told.length).isBetween(12, NameReply.MAX_BYTES);
                assertThat(told[0] == bytes[0] && told[1] == bytes[1] && told[2] < 0).isTrue();
                var read = told.length == 12 ? new Message(0) : new Message(told);
                (read.getSection(Section.ANSWER).isEmpty() ? refused : answered).incrementAndGet();
            }
        }
        assertThat(answered.get()).isGreaterThan(5_000);
        assertThat(refused.get()).isGreaterThan(5_000);
        assertThat(dns.asked()).containsExactlyInAnyOrder("A api.example.com", "AAAA api.example.com");
    }
}
