package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.xbill.DNS.ARecord;
import org.xbill.DNS.CNAMERecord;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;
import org.xbill.DNS.Type;

/// Names asked at a resolver, honest, lying, slow or gone.
@Timeout(60)
class UpstreamTest {
    private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 1_000);
    private LoopbackDns dns = opened();
    private Upstream upstream = new Upstream(List.of(), new Random(1));

    private static LoopbackDns opened() {
        try {
            return new LoopbackDns();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @BeforeEach
    void open() {
        upstream = new Upstream(List.of(dns.place()), new Random(1), nanos::get);
    }

    @AfterEach
    void close() throws IOException {
        dns.close();
    }

    private static List<InetAddress> addresses(String... texts) {
        return Stream.of(texts).map(InetAddress::ofLiteral).toList();
    }

    private Resolution.Found found(String name) throws InterruptedException {
        return (Resolution.Found) upstream.resolve(name);
    }

    private void failed(String name, String reason) throws InterruptedException {
        long begin = System.nanoTime();
        assertThat(upstream.resolve(name)).isInstanceOfSatisfying(Resolution.Failed.class, failed -> assertThat(failed.reason()).contains(reason));
        assertThat(System.nanoTime() - begin).isLessThan(Duration.ofMillis(3_500).toNanos());
    }

    @Test
    void findsBothKindsOfAddresses() throws Exception {
        dns.has("api.example.com", "192.0.2.1", "192.0.2.2", "2001:db8::1");
        assertThat(upstream.resolve("api.example.com")).isEqualTo(new Resolution.Found(addresses("192.0.2.1", "192.0.2.2", "2001:db8::1"), List.of(), Duration.ofSeconds(60)));
        assertThat(found("api.example.com").addresses()).extracting(InetAddress::toString).contains("/192.0.2.1");
        assertThat(dns.asked()).containsExactlyInAnyOrder("A api.example.com", "AAAA api.example.com");
    }

    @Test
    void saysWhichNamesItWentThrough() throws Exception {
        dns.alias("api.example.com", "Edge.example.net").alias("edge.example.net", "a.example.org").has("a.example.org", "192.0.2.1");
        assertThat(upstream.resolve("api.example.com")).isEqualTo(new Resolution.Found(addresses("192.0.2.1"), List.of("edge.example.net", "a.example.org"), Duration.ofSeconds(60)));
    }

    @Test
    void knowsWhatIsNotThere() throws Exception {
        dns.has("empty.example.com").alias("gone.example.com", "nowhere.example.net");
        assertThat(upstream.resolve("nothing.example.com")).isEqualTo(new Resolution.NotThere());
        assertThat(upstream.resolve("empty.example.com")).isEqualTo(new Resolution.NotThere());
        assertThat(upstream.resolve("gone.example.com")).isEqualTo(new Resolution.NotThere());
        dns.asked().clear();
        assertThat(upstream.resolve("nothing.example.com")).isEqualTo(new Resolution.NotThere());
        assertThat(dns.asked()).isEmpty();
        nanos.addAndGet(Upstream.NEGATIVE.toNanos());
        upstream.resolve("nothing.example.com");
        assertThat(dns.asked()).hasSize(2);
    }

    @Test
    void neverTriesAnotherName() throws Exception {
        upstream.resolve("api");
        assertThat(dns.asked()).containsExactlyInAnyOrder("A api", "AAAA api");
    }

    @Test
    void remembersForAsLongAsItMay() throws Exception {
        var ttl = new AtomicLong(100);
        dns.says((query, _) -> {
            var reply = LoopbackDns.begun(query);
            if (query.getQuestion().getType() == Type.A) {
                reply.addRecord(new ARecord(query.getQuestion().getName(), DClass.IN, ttl.get(), InetAddress.ofLiteral("192.0.2.1")), Section.ANSWER);
            }
            return List.of(reply.toWire());
        });
        for (long[] each : new long[][] {{100, 100}, {0, 1}, {1_000_000, 300}, {Integer.MAX_VALUE, 300}}) {
            ttl.set(each[0]);
            assertThat(found("t" + each[0] + ".example.com").ttl()).isEqualTo(Duration.ofSeconds(each[1]));
            dns.asked().clear();
            nanos.addAndGet(Duration.ofSeconds(each[1]).toNanos() - 1);
            found("t" + each[0] + ".example.com");
            assertThat(dns.asked()).isEmpty();
            nanos.incrementAndGet();
            found("t" + each[0] + ".example.com");
            assertThat(dns.asked()).hasSize(2);
        }
    }

    @Test
    void manyWhoAskForTheSameShareOneQuestion() throws Exception {
        var open = new CountDownLatch(1);
        dns.has("api.example.com", "192.0.2.1").says((query, _) -> {
            try {
                return open.await(2, TimeUnit.SECONDS) ? List.of(dns.honest(query).toWire()) : List.of();
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
        });
        var all = new ArrayList<FutureTask<Resolution>>();
        var started = new CountDownLatch(100);
        for (int i = 0; i < 100; i++) {
            var task = new FutureTask<>(() -> {
                started.countDown();
                return upstream.resolve("api.example.com");
            });
            all.add(task);
            Thread.ofVirtual().start(task);
        }
        assertThat(started.await(5, TimeUnit.SECONDS)).isTrue();
        open.countDown();
        for (var each : all) {
            assertThat(each.get()).isInstanceOf(Resolution.Found.class);
        }
        assertThat(dns.asked()).hasSize(2);
    }

    @Test
    void refusesMoreAtOnceThanItsBound() throws Exception {
        dns.says((_, _) -> List.of());
        var all = new ArrayList<FutureTask<Resolution>>();
        for (int i = 0; i < 300; i++) {
            String name = "n" + i + ".example.com";
            var task = new FutureTask<>(() -> upstream.resolve(name));
            all.add(task);
            Thread.ofVirtual().start(task);
        }
        int refused = 0;
        for (var each : all) {
            refused += ((Resolution.Failed) each.get()).reason().contains("being looked up already") ? 1 : 0;
        }
        assertThat(refused).isEqualTo(300 - 256);
        dns.has("api.example.com", "192.0.2.1").says((query, _) -> List.of(dns.honest(query).toWire()));
        assertThat(upstream.resolve("api.example.com")).isInstanceOf(Resolution.Found.class);
    }

    @Test
    void takesTheSecondResolverWhenTheFirstIsGoneOrUnable() throws Exception {
        dns.has("api.example.com", "192.0.2.1");
        try (var silent = new LoopbackDns().says((_, _) -> List.of());
                var unable = new LoopbackDns().says((query, _) -> List.of(declined(query, Rcode.SERVFAIL)))) {
            InetSocketAddress gone;
            try (var closed = new LoopbackDns()) {
                gone = closed.place();
            }
            for (var first : List.of(silent.place(), unable.place(), gone)) {
                assertThat(new Upstream(List.of(first, dns.place()), new Random(1)).resolve("api.example.com")).as(first.toString()).isInstanceOf(Resolution.Found.class);
            }
        }
    }

    private static byte[] declined(Message query, int rcode) {
        var reply = LoopbackDns.begun(query);
        reply.getHeader().setRcode(rcode);
        return reply.toWire();
    }

    @Test
    void failsWhenNobodyAnswers() throws Exception {
        dns.says((_, _) -> List.of());
        failed("api.example.com", "does not answer");
        dns.says((query, _) -> List.of(declined(query, Rcode.REFUSED)));
        failed("api.example.com", "says REFUSED");
        upstream = new Upstream(List.of(), new Random(1));
        failed("api.example.com", "no resolver");
    }

    @Test
    void askedWithoutExtensionsWhenTheResolverKnowsNone() throws Exception {
        dns.has("api.example.com", "192.0.2.1").says((query, _) -> List.of(query.getOPT() == null ? dns.honest(query).toWire() : declined(query, Rcode.FORMERR)));
        assertThat(upstream.resolve("api.example.com")).isInstanceOf(Resolution.Found.class);
    }

    @Test
    void halfAnAnswerIsEnoughForAddressesButNotForTheirAbsence() throws Exception {
        dns.has("api.example.com", "192.0.2.1").has("six.example.com", "2001:db8::1").has("none.example.com");
        dns.says((query, _) -> query.getQuestion().getType() == Type.AAAA ? List.of(declined(query, Rcode.SERVFAIL)) : List.of(dns.honest(query).toWire()));
        assertThat(upstream.resolve("api.example.com")).isEqualTo(new Resolution.Found(addresses("192.0.2.1"), List.of(), Upstream.NEGATIVE));
        failed("six.example.com", "SERVFAIL");
        failed("none.example.com", "SERVFAIL");
    }

    @Test
    void takesALongAnswerOverTcp() throws Exception {
        var many = new ArrayList<String>();
        for (int i = 1; i <= 40; i++) {
            many.add("192.0.2." + i);
        }
        dns.has("api.example.com", many.toArray(String[]::new));
        dns.says((query, tcp) -> {
            var whole = dns.honest(query);
            return List.of(tcp ? whole.toWire() : truncated(query));
        });
        assertThat(found("api.example.com").addresses()).hasSize(UpstreamAnswer.MAX_ADDRESSES);
        assertThat(dns.asked()).containsExactlyInAnyOrder("A api.example.com", "AAAA api.example.com", "A api.example.com tcp", "AAAA api.example.com tcp");
    }

    private static byte[] truncated(Message query) {
        var reply = LoopbackDns.begun(query);
        reply.getHeader().setFlag(Flags.TC);
        return reply.toWire();
    }

    @Test
    void failsWhenTcpHangsLiesOrIsHuge() throws Exception {
        dns.says((query, tcp) -> tcp ? List.of() : List.of(truncated(query)));
        failed("api.example.com", "does not answer");
        dns.says((query, tcp) -> List.of(truncated(query)));
        failed("api.example.com", "something else over TCP");
        dns.says((query, tcp) -> List.of(tcp ? new byte[20_000] : truncated(query)));
        failed("api.example.com", "20000 bytes");
        dns.says((query, tcp) -> List.of(tcp ? new byte[0] : truncated(query)));
        failed("api.example.com", "something else over TCP");
    }

    @Test
    void passesOverWhatIsNoAnswerToItsQuestion() throws Exception {
        dns.has("api.example.com", "192.0.2.1").has("evil.test", "192.0.2.66");
        dns.says((query, _) -> {
            var wrongId = lie(query);
            wrongId.getHeader().setID(query.getHeader().getID() ^ 1);
            var noAnswer = lie(query);
            noAnswer.getHeader().unsetFlag(Flags.QR);
            var otherName = lie(query);
            otherName.removeAllRecords(Section.QUESTION);
            otherName.addRecord(Record.newRecord(LoopbackDns.name("evil.test"), query.getQuestion().getType(), DClass.IN), Section.QUESTION);
            var noQuestion = lie(query);
            noQuestion.removeAllRecords(Section.QUESTION);
            var otherType = lie(query);
            otherType.removeAllRecords(Section.QUESTION);
            otherType.addRecord(Record.newRecord(query.getQuestion().getName(), Type.TXT, DClass.IN), Section.QUESTION);
            return List.of(wrongId.toWire(), noAnswer.toWire(), otherName.toWire(), noQuestion.toWire(), otherType.toWire(), new byte[] {}, new byte[3], dns.honest(query).toWire());
        });
        assertThat(found("api.example.com").addresses()).isEqualTo(addresses("192.0.2.1"));
    }

    private static Message lie(Message query) throws IOException {
        var reply = LoopbackDns.begun(query);
        if (query.getQuestion().getType() == Type.A) {
            reply.addRecord(new ARecord(query.getQuestion().getName(), DClass.IN, 60, InetAddress.ofLiteral("192.0.2.66")), Section.ANSWER);
        }
        return reply;
    }

    @Test
    void takesNoAddressOfAnotherName() throws Exception {
        dns.says((query, _) -> {
            var reply = LoopbackDns.begun(query);
            var other = new ARecord(LoopbackDns.name("evil.test"), DClass.IN, 60, InetAddress.ofLiteral("192.0.2.66"));
            var own = new ARecord(query.getQuestion().getName(), DClass.IN, 60, InetAddress.ofLiteral("192.0.2.66"));
            reply.addRecord(other, Section.ANSWER);
            reply.addRecord(own, Section.ADDITIONAL);
            reply.addRecord(own, Section.AUTHORITY);
            reply.addRecord(new ARecord(query.getQuestion().getName(), DClass.CHAOS, 60, InetAddress.ofLiteral("192.0.2.66")), Section.ANSWER);
            return List.of(reply.toWire());
        });
        assertThat(upstream.resolve("api.example.com")).isEqualTo(new Resolution.NotThere());
    }

    @Test
    void refusesAliasesThatLeadNowhere() throws Exception {
        for (int i = 0; i < 10; i++) {
            dns.alias("n" + i + ".example.com", "n" + (i + 1) + ".example.com");
        }
        dns.has("n10.example.com", "192.0.2.1").alias("a.example.com", "b.example.com").alias("b.example.com", "a.example.com").alias("self.example.com", "self.example.com");
        assertThat(found("n2.example.com").aliases()).hasSize(UpstreamAnswer.MAX_LINKS);
        failed("n1.example.com", "more than 8 others");
        failed("a.example.com", "more than 8 others");
        failed("self.example.com", "more than 8 others");
    }

    @Test
    void refusesAliasesThatAreNone() throws Exception {
        for (String target : List.of("evil\\000.example.com", "evil\\.example.com", "192.0.2.1", "a b.example.com", ".")) {
            dns.says((query, _) -> {
                var reply = LoopbackDns.begun(query);
                reply.addRecord(new CNAMERecord(query.getQuestion().getName(), DClass.IN, 60, LoopbackDns.name(target)), Section.ANSWER);
                reply.addRecord(new ARecord(LoopbackDns.name(target), DClass.IN, 60, InetAddress.ofLiteral("192.0.2.66")), Section.ANSWER);
                return List.of(reply.toWire());
            });
            failed("api.example.com", "alias that is none");
        }
        dns.says((query, _) -> {
            var reply = LoopbackDns.begun(query);
            for (String target : List.of("a.example.com", "b.example.com")) {
                reply.addRecord(new CNAMERecord(query.getQuestion().getName(), DClass.IN, 60, LoopbackDns.name(target)), Section.ANSWER);
            }
            return List.of(reply.toWire());
        });
        failed("api.example.com", "alias that is none");
    }

    @Test
    void givesUpOnAFloodOfStrangers() throws Exception {
        var stranger = new byte[30];
        dns.says((_, _) -> java.util.Collections.nCopies(300, stranger));
        failed("api.example.com", "does not answer");
    }

    @Test
    void anyBytesAreReadWithinTheirBounds() throws Exception {
        var random = new Random(53);
        var question = Record.newRecord(LoopbackDns.name("api.example.com"), Type.A, DClass.IN);
        var query = Message.newQuery(question);
        int id = query.getHeader().getID();
        dns.alias("api.example.com", "edge.example.net").has("edge.example.net", "192.0.2.1", "192.0.2.2", "192.0.2.3");
        byte[] seed = dns.honest(query).toWire();
        var seen = new AtomicInteger[] {new AtomicInteger(), new AtomicInteger(), new AtomicInteger()};
        for (int i = 0; i < 200_000; i++) {
            byte[] bytes = seed.clone();
            for (int change = random.nextInt(4); change > 0; change--) {
                int at = random.nextInt(bytes.length);
                switch (random.nextInt(4)) {
                    case 0 -> bytes[at] = (byte) random.nextInt(256);
                    case 1 -> bytes[at] = (byte) (0xc0 | random.nextInt(2));
                    case 2 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                    default -> bytes = Arrays.copyOf(bytes, Math.max(at, 1));
                }
            }
            switch (UpstreamAnswer.read(bytes, id, question)) {
                case UpstreamAnswer.Addresses some -> {
                    seen[0].incrementAndGet();
                    assertThat(some.addresses().size() <= 3 && some.aliases().size() <= UpstreamAnswer.MAX_LINKS).isTrue();
                }
                case UpstreamAnswer.NotOurs _ -> seen[1].incrementAndGet();
                default -> seen[2].incrementAndGet();
            }
        }
        assertThat(seen).allMatch(count -> count.get() > 500);
    }
}
