package dev.caisson.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The tests' internet is what tests rely on: it answers, it hears everything, and there is nothing behind it.
@Tag("machine")
@Timeout(value = 3, unit = TimeUnit.MINUTES)
class InternetTest {
    private static Internet internet;

    @BeforeAll
    static void open() throws Exception {
        internet = Internet.open();
    }

    @AfterAll
    static void close() throws IOException {
        internet.close();
    }

    @ParameterizedTest
    @CsvSource({
        "allowed.example, 192.0.2.10 2001:db8::10", "cname.allowed.example, 192.0.2.20 2001:db8::20", "meta.example, 169.254.169.254", "many.example, 192.0.2.10 10.0.0.1 192.0.2.11",
        "truncated.example, 192.0.2.10"
    })
    void namesAreAnswered(String name, String addresses) throws Exception {
        int then = internet.now();
        assertThat(List.of(internet.reach("names", name).strip().split(" "))).containsExactlyInAnyOrder(addresses.split(" "));
        assertThat(internet.questions(then)).contains(name);
    }

    @Test
    void unknownNamesAreUnknownAndWrittenDown() throws Exception {
        int then = internet.now();
        assertThat(internet.reach("names", "abc123.canary.example")).contains("no such host");
        assertThat(internet.questions(then)).contains("abc123.canary.example");
    }

    @Test
    void oneNameFlips() throws Exception {
        var seen = new java.util.TreeSet<String>();
        for (int i = 0; i < 10; i++) {
            seen.addAll(List.of(internet.reach("names", "rebind.example").strip().split(" ")));
        }
        seen.removeIf(word -> !word.matches("[0-9.]+"));
        assertThat(seen).containsExactly("10.0.0.1", "127.0.0.1", "169.254.169.254", "192.0.2.10");
    }

    @Test
    void sitesAreTrustedThroughTheAuthority() throws Exception {
        int then = internet.now();
        assertThat(internet.reach("get", "https://allowed.example/")).startsWith("HTTP/2.0 200").contains("\"sni\":\"allowed.example\"").contains("\"host\":\"allowed.example\"");
        assertThat(internet.reach("one", "https://allowed.example/")).startsWith("HTTP/1.1 200");
        assertThat(internet.reach("get", "http://allowed.example/")).startsWith("HTTP/1.1 200").contains("\"tls\":false");
        assertThat(internet.run(List.of(internet.client().toString(), "-resolver", Internet.RESOLVER, "get", "https://allowed.example/"))).contains("unknown authority");
        assertThat(internet.since(then)).anySatisfy(event -> assertThat(event).extracting(Internet.Event::kind, Internet.Event::name, Internet.Event::port).containsExactly("tls", "allowed.example", 443))
                .anySatisfy(event -> assertThat(event).extracting(Internet.Event::kind, Internet.Event::name, Internet.Event::what).containsExactly("http", "allowed.example", "GET / HTTP/1.1"));
    }

    @ParameterizedTest
    @CsvSource({
        "expired.example, has expired", "notyet.example, is not yet valid", "selfsigned.example, unknown authority", "otherca.example, unknown authority", "wrongname.example, valid for denied.example"
    })
    void someSitesHaveBadCertificates(String name, String complaint) throws Exception {
        assertThat(internet.reach("get", "https://" + name + "/")).contains(complaint);
    }

    @Test
    void manyTonguesAreSpoken() throws Exception {
        assertThat(internet.reach("socket", "wss://allowed.example/socket")).isEqualTo("one two three \n");
        assertThat(internet.reach("socket", "ws://allowed.example/socket")).isEqualTo("one two three \n");
        assertThat(internet.reach("grpc", "grpc.example:443")).isEqualTo("SERVING\n");
        assertThat(internet.reach("ssh", "ssh.example:22")).isEqualTo("ran echo hello\n");
        assertThat(internet.reach("tcp", "allowed.example:7000", "echo")).isEqualTo("echo\n");
        assertThat(internet.reach("get", "https://allowed.example/events")).contains("data: 4");
        assertThat(internet.reach("get", "https://allowed.example/bytes/20000000")).contains("20000000 bytes");
        assertThat(internet.reach("-method", "POST", "-body", "12345", "get", "https://allowed.example/count")).contains("\"bytes\":5");
        assertThat(internet.reach("get", "https://allowed.example/redirect?to=https://denied.example/")).startsWith("HTTP/2.0 302");
        assertThat(internet.reach("-header", "X-Mine: seen", "get", "https://allowed.example/headers")).contains("\"X-Mine\":[\"seen\"]");
        assertThat(internet.reach("get", "https://raw.example/any")).endsWith("raw\n");
    }

    @Test
    void packagesAreServed() throws Exception {
        assertThat(internet.reach("get", "https://pip.example/simple/lab-greeting/")).contains("lab_greeting-1.0-py3-none-any.whl#sha256=");
        assertThat(internet.reach("get", "https://npm.example/lab-greeting")).contains("sha512-");
        assertThat(internet.reach("get", "https://apt.example/debian/Packages")).contains("Package: lab-greeting");
        assertThat(internet.reach("get", "https://git.example/git/greeting.git/info/refs?service=git-upload-pack")).contains("refs/heads/main");
    }

    @Test
    void theSinkHearsEveryAddressPortAndProtocol() throws Exception {
        for (String stranger : Internet.STRANGERS) {
            int then = internet.now();
            internet.visit(stranger, 80);
            internet.visit(stranger, 31_337);
            internet.reach("udp", (stranger.contains(":") ? "[" + stranger + "]" : stranger) + ":443", "datagram");
            var visitors = internet.visitors(then);
            assertThat(visitors).filteredOn(event -> event.kind().equals("packet")).extracting(Internet.Event::protocol, Internet.Event::to, Internet.Event::port).contains(
                    org.assertj.core.groups.Tuple.tuple("tcp", stranger, 80), org.assertj.core.groups.Tuple.tuple("tcp", stranger, 31_337), org.assertj.core.groups.Tuple.tuple("udp", stranger, 443));
        }
        int then = internet.now();
        internet.run(List.of("python3", "-c",
                """
                import socket
                for family, protocol, address, data in ((socket.AF_INET, 1, '8.8.8.8', b'\\x08\\x00\\xf7\\xff\\x00\\x00\\x00\\x00'), (socket.AF_INET, 47, '8.8.8.8', b'gre'), (socket.AF_INET6, 132, '2606:4700:4700::1111', b'sctp')):
                    socket.socket(family, socket.SOCK_RAW, protocol).sendto(data, (address, 0))
                """));
        assertThat(internet.visitors(then)).extracting(Internet.Event::protocol).contains("icmp", "47", "132");
    }

    @Test
    void sitesAndNamesAreNoStrangers() throws Exception {
        int then = internet.now();
        internet.reach("get", "https://allowed.example/");
        assertThat(internet.visitors(then)).isEmpty();
        assertThat(internet.arrivals(then, "192.0.2.10").size() + internet.arrivals(then, "2001:db8::10").size()).isPositive();
        assertThat(internet.arrivals(then, "192.0.2.20")).isEmpty();
    }

    @Test
    void aDeadAddressDoesNotAnswer() throws Exception {
        assertThat(internet.reach("-patience", "300ms", "tcp", "dead.example:443", "x")).contains("failed: ");
    }

    @Test
    void theHostHasOneLink() throws Exception {
        assertThat(internet.run(List.of("ip", "-br", "link")).lines().map(line -> line.split("[ @]")[0])).containsExactlyInAnyOrder("lo", "up0");
        assertThat(internet.run(List.of("ip", "route", "show", "default"))).isEqualTo("default via 198.51.100.1 dev up0 \n");
    }

    @Test
    void itLeavesNothing() throws Exception {
        List<Path> before = namespaces();
        try (var another = Internet.open()) {
            assertThat(another.reach("names", "only4.example")).isEqualTo("192.0.2.10\n");
            assertThat(namespaces()).hasSize(before.size() + 2);
        }
        assertThat(namespaces()).isEqualTo(before);
    }

    private static List<Path> namespaces() throws IOException {
        try (var all = Files.list(Path.of("/run/netns"))) {
            return all.filter(one -> one.getFileName().toString().startsWith("caisson-lab-" + ProcessHandle.current().pid())).sorted().toList();
        }
    }
}
