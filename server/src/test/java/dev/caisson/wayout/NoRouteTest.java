package dev.caisson.wayout;

import static dev.caisson.wayout.Probes.probe;
import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Internet;
import dev.caisson.wayout.Probes.Probe;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// A packet cannot leave, whatever its protocol, address or port: there is nowhere to go. As root in the sandbox, judged at the other end.
@Tag("machine")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class NoRouteTest {
    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet();

    /// Where TCP is tried: what the web, names, mail, shells and proxies listen at, and what nobody does.
    private static final List<Integer> PORTS = List.of(80, 443, 53, 853, 22, 3128, 31_337);
    private static final long AT_ONCE_MILLIS = 1_000;

    private static Stream<org.junit.jupiter.params.provider.Arguments> tiersAndRules() {
        return Stream.of(Tier.GVISOR, Tier.CONTAINER).flatMap(tier -> Stream.of(Egress.NONE, Rules.hosts("allowed.example")).map(egress -> org.junit.jupiter.params.provider.Arguments.of(tier, egress)));
    }

    /// The sink hears, and a sandbox that is allowed something gets there: without both, silence would mean nothing.
    private static void positiveTwins(Tier tier) throws Exception {
        int then = CAISSON.internet().now();
        CAISSON.internet().visit("169.254.169.254", 80);
        CAISSON.internet().visit("fd00:ec2::254", 443);
        assertThat(CAISSON.internet().visitors(then)).extracting(Internet.Event::to).contains("169.254.169.254", "fd00:ec2::254");
        assertThat(Probes.in(CAISSON, tier, Rules.hosts("allowed.example")).make("http", "allowed.example", 80, Probes.get("allowed.example", "/")).got()).startsWith("HTTP/1.1 200");
    }

    @ParameterizedTest
    @MethodSource("tiersAndRules")
    void tcpIsRefusedAtOnce(Tier tier, Egress egress) throws Exception {
        var probes = Probes.in(CAISSON, tier, egress);
        int then = CAISSON.internet().now();
        var tried = new ArrayList<Probe>();
        for (String stranger : Stream.concat(Internet.STRANGERS.stream(), Stream.of("192.0.2.10", "192.0.2.20", "192.0.2.53", "2001:db8::10", "2001:db8::53", Internet.HOST, Internet.HOST6, "198.51.100.1")).toList()) {
            for (int port : PORTS) {
                tried.add(probe("opens", stranger, port));
            }
        }
        var outcomes = probes.make(tried);
        assertThat(outcomes).allSatisfy(outcome -> {
            assertThat(outcome.ok()).as("%s", outcome).isFalse();
            assertThat(outcome.millis()).as("%s", outcome).isLessThan(AT_ONCE_MILLIS);
        });
        assertThat(CAISSON.internet().since(then)).isEmpty();
        positiveTwins(tier);
    }

    @ParameterizedTest
    @MethodSource("tiersAndRules")
    void datagramsGoNowhere(Tier tier, Egress egress) throws Exception {
        var probes = Probes.in(CAISSON, tier, egress);
        int then = CAISSON.internet().now();
        var tried = new ArrayList<Probe>();
        for (String stranger : Stream.concat(Internet.STRANGERS.stream(), Stream.of("192.0.2.10", "192.0.2.53", "2001:db8::53", Internet.HOST, Internet.HOST6)).toList()) {
            for (int port : List.of(53, 443, 123, 853, 4500)) {
                tried.add(probe("udp", stranger, port));
            }
        }
        assertThat(probes.make(tried)).noneMatch(Outcome::ok);
        assertThat(CAISSON.internet().since(then)).isEmpty();
        // QUIC, to a name that is allowed.
        if (!egress.isNone()) {
            assertThat(probes.make("udp", "allowed.example", 443).ok()).isFalse();
            assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.protocol().equals("udp") && event.port() == 443);
        }
        positiveTwins(tier);
    }

    @ParameterizedTest
    @MethodSource("tiersAndRules")
    void otherProtocolsGoNowhere(Tier tier, Egress egress) throws Exception {
        var probes = Probes.in(CAISSON, tier, egress);
        int then = CAISSON.internet().now();
        var tried = new ArrayList<Probe>();
        for (String four : List.of("8.8.8.8", "192.0.2.10", "169.254.169.254", Internet.HOST)) {
            for (int protocol : List.of(1, 2, 4, 33, 41, 47, 50, 51, 88, 103, 115, 132, 136, 253)) {
                tried.add(probe("raw", four, protocol));
            }
        }
        for (String six : List.of("2606:4700:4700::1111", "2001:db8::10", "fd00:ec2::254", Internet.HOST6)) {
            for (int protocol : List.of(58, 4, 33, 47, 50, 132, 253)) {
                tried.add(probe("raw", six, protocol));
            }
        }
        assertThat(probes.make(tried)).noneMatch(Outcome::ok);
        // What the image has for it.
        probes.bash("ping -c1 -W1 8.8.8.8; traceroute -w1 -q1 -m3 8.8.8.8; tracepath 8.8.8.8");
        assertThat(CAISSON.internet().since(then)).isEmpty();
        positiveTwins(tier);
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void everySpellingOfAMetadataAddressIsRefused(Tier tier) throws Exception {
        // Also where everything public is allowed, or somebody tried to allow the address itself.
        for (Egress egress : List.of(Egress.NONE, Rules.hosts("allowed.example", "*.google.internal"), Rules.open())) {
            var probes = Probes.in(CAISSON, tier, egress);
            int then = CAISSON.internet().now();
            var tried = new ArrayList<Probe>();
            for (String spelled : List.of("169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "025177524776", "169.254.43518", "169.16689662", "0xa9.0xfe.0xa9.0xfe", "::ffff:169.254.169.254",
                    "::ffff:a9fe:a9fe", "::169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::", "fd00:ec2::254", "fe80::a9fe:a9fe%eth0", "metadata.google.internal", "metadata", "instance-data",
                    "169.254.169.254.", "169.254.170.2", "169.254.20.10", "100.100.100.200", "168.63.129.16", "192.0.0.192")) {
                tried.add(probe("tcp", spelled, 80, Probes.get("169.254.169.254", "/latest/meta-data/")));
                tried.add(probe("tcp", spelled, 443, Probes.get("169.254.169.254", "/latest/meta-data/")));
            }
            for (String mapped : List.of("::ffff:169.254.169.254", "::ffff:8.8.8.8", "::ffff:10.0.0.1", "::ffff:192.0.2.20")) {
                tried.add(probe("open6", mapped, 80));
            }
            // What is denied with a page says so itself; what matters is that it was not the service.
            assertThat(probes.make(tried)).noneMatch(outcome -> outcome.got().contains("SINK"));
            for (String url : List.of("http://2852039166/", "http://0xa9fea9fe/", "http://169.254.43518/", "http://[::ffff:169.254.169.254]/", "http://[fd00:ec2::254]/", "http://169.254.169.254:8080/")) {
                assertThat(probes.bash("curl -s -m 5 '" + url + "'")).doesNotContain("SINK");
            }
            assertThat(CAISSON.internet().visitors(then)).as("with %s", egress).noneMatch(event -> !event.to().equals("8.8.8.8"));
        }
        positiveTwins(tier);
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void onlyThePublicInternetIsOpen(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.open());
        int then = CAISSON.internet().now();
        var tried = Internet.STRANGERS.stream().map(stranger -> probe("tcp", stranger, 80, Probes.get(stranger, "/"))).toList();
        probes.make(tried);
        assertThat(CAISSON.internet().visitors(then)).extracting(Internet.Event::to).containsOnly("1.1.1.1", "8.8.8.8", "9.9.9.9", "203.0.113.7", "2606:4700:4700::1111", "2001:db8:1::7");
        positiveTwins(tier);
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void theHostsOwnServicesAreOutOfReach(Tier tier) throws Exception {
        var listener = new ProcessBuilder(Stream.concat(CAISSON.internet().prefix().stream(), Stream.of("python3", "-c",
                """
                import socket, threading, time
                def serve(family, address):
                    s = socket.socket(family, socket.SOCK_STREAM)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    s.bind((address, 22222))
                    s.listen(64)
                    def answer():
                        while True:
                            c, peer = s.accept()
                            print('from', peer[0], flush=True)
                            c.recv(1)
                            c.sendall(b'HOST\\n')
                            c.close()
                    threading.Thread(target=answer).start()
                serve(socket.AF_INET, '0.0.0.0')
                serve(socket.AF_INET6, '::')
                print('listening', flush=True)
                """)).toList()).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (var out = listener.inputReader()) {
            assertThat(out.readLine()).isEqualTo("listening");
            for (Egress egress : List.of(Egress.NONE, Rules.hosts("allowed.example"), Rules.open(), Rules.list(Rules.raw("own.example", 22222), Rules.raw("own6.example", 22222), Rules.raw("loopback.example", 22222)),
                    Rules.list(Rules.raw("198.18.0.0/15"), Rules.raw("100.64.0.0/10")))) {
                var probes = Probes.in(CAISSON, tier, egress);
                String gateway = probes.bash("ip route show default | awk '{print $3}'").strip();
                var tried = new ArrayList<Probe>();
                for (String host : List.of(Internet.HOST, Internet.HOST6, "198.51.100.1", gateway.isEmpty() ? "100.64.0.1" : gateway.lines().findFirst().orElseThrow(), Probes.RESOLVER, Probes.RESOLVER6,
                        "own.example", "own6.example", "loopback.example", "host.docker.internal", "localhost.localdomain", "127.0.0.2", "0.0.0.0", "::ffff:127.0.0.1", "198.18.0.1")) {
                    tried.add(probe("tcp", host, 22222, "x"));
                }
                assertThat(probes.make(tried)).as("with %s", egress).noneMatch(outcome -> outcome.got().contains("HOST"));
            }
            // The positive twin: it is there, for the host.
            assertThat(CAISSON.internet().reach("tcp", Internet.HOST + ":22222", "x")).isEqualTo("HOST\n");
            var visitors = new ArrayList<String>();
            do {
                visitors.add(out.readLine());
            } while (out.ready());
            assertThat(visitors).containsExactly("from " + Internet.HOST);
        } finally {
            listener.destroyForcibly();
            listener.waitFor();
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void theGatewayHasOnlyItsResolver(Tier tier) throws Exception {
        for (Egress egress : List.of(Egress.NONE, Rules.hosts("allowed.example"))) {
            var probes = Probes.in(CAISSON, tier, egress);
            String found = probes.bash(
                    """
                    gateway=$(ip route show default | awk '{print $3; exit}')
                    gateway6=$(ip -6 route show default | awk '{print $3; exit}')
                    python3 - 100.127.255.53 fdca:1550:ffff::53 $gateway $gateway6 <<'PROGRAM'
                    import socket, sys
                    for host in sys.argv[1:]:
                        for port in [*range(1, 1100), 3128, 5000, 8000, 8080, 8443, 9090, 15001, 15053]:
                            try:
                                socket.create_connection((host + ('%eth0' if host.startswith('fe80') else ''), port), 5).close()
                                print(host, port)
                            except OSError:
                                pass
                    PROGRAM
                    """);
            assertThat(found.lines()).as("with %s", egress).allMatch(line -> line.equals(Probes.RESOLVER + " 53") || line.equals(Probes.RESOLVER6 + " 53"));
            if (!egress.isNone()) {
                assertThat(found).contains(Probes.RESOLVER + " 53");
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void noSandboxReachesAnother(Tier tier) throws Exception {
        for (Egress egress : List.of(Rules.hosts("allowed.example"), Rules.open(), Rules.list(Rules.raw("100.64.0.0/10"), Rules.raw("fd00::/8")))) {
            var one = Probes.in(CAISSON, tier, egress);
            var other = Probes.in(CAISSON, tier, egress);
            one.bash(
                    """
                    cat > /tmp/serve.py <<'PROGRAM'
                    import socket, threading
                    log = open('/tmp/visits', 'a', buffering=1)
                    def take(s):
                        while True:
                            c, peer = s.accept()
                            log.write('tcp %s\\n' % peer[0])
                            c.recv(1)
                            c.sendall(b'NEIGHBOUR')
                            c.close()
                    def hear(s):
                        while True:
                            _, peer = s.recvfrom(2048)
                            log.write('udp %s\\n' % peer[0])
                    for family, any in ((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')):
                        for kind, what in ((socket.SOCK_STREAM, take), (socket.SOCK_DGRAM, hear)):
                            s = socket.socket(family, kind)
                            if family == socket.AF_INET6:
                                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                            s.bind((any, 8000 if kind == socket.SOCK_STREAM else 5353))
                            if kind == socket.SOCK_STREAM:
                                s.listen(16)
                            threading.Thread(target=what, args=(s,)).start()
                    log.write('listening\\n')
                    PROGRAM
                    setsid python3 /tmp/serve.py > /dev/null 2>&1 < /dev/null &
                    for i in $(seq 100); do grep -q listening /tmp/visits 2> /dev/null && break; sleep 0.05; done
                    """);
            var addresses = one.bash("ip -o addr show dev eth0 | awk '{print $4}' | cut -d/ -f1").lines().toList();
            assertThat(addresses).as("addresses of the sandbox").isNotEmpty();
            var tried = new ArrayList<Probe>();
            for (String address : addresses) {
                String scoped = address.startsWith("fe80") ? address + "%eth0" : address;
                tried.add(probe("tcp", scoped, 8000, "x"));
                tried.add(probe("udp", scoped, 5353));
            }
            tried.add(probe("udp", "224.0.0.251", 5353));
            tried.add(probe("udp", "255.255.255.255", 5353));
            tried.add(probe("udp", "ff02::fb%eth0", 5353));
            // The positive twin: in its own network it is there.
            assertThat(one.make("tcp", addresses.getFirst(), 8000, "x")).as("with %s at %s: %s", egress, addresses, one.bash("cat /tmp/visits; ip addr; ip route; ss -ltn")).extracting(Outcome::got, Outcome::error).containsExactly("NEIGHBOUR", "");
            assertThat(other.make(tried)).noneMatch(outcome -> outcome.got().contains("NEIGHBOUR"));
            assertThat(one.bash("cat /tmp/visits").lines()).hasSize(2);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void nobodyIsTakenForSomebodyElse(Tier tier) throws Exception {
        var allowed = Probes.in(CAISSON, tier, Rules.hosts("allowed.example"));
        var none = Probes.in(CAISSON, tier, Rules.hosts("api.allowed.example"));
        String neighbour = allowed.bash("ip -4 -o addr show dev eth0 | awk '{print $4}' | cut -d/ -f1").strip();
        String synthetic = allowed.make("resolve", "only4.example").ok() ? "" : allowed.make("dns", "allowed.example", "A").got().replace("rcode=0 ", "").strip();
        assertThat(synthetic).startsWith("198.1");
        int then = CAISSON.internet().now();
        // With the other's address: bound where the kernel lets root do that, given to the link, and in frames of its own making.
        none.make(List.of(probe("bound", neighbour, synthetic, 80), probe("bound", Internet.HOST, "192.0.2.10", 80)));
        none.bash("ip addr add " + neighbour + "/32 dev eth0; ip link set eth0 address 02:00:00:00:00:01; ip neigh flush all; ip route add 192.0.2.0/24 dev eth0; ip link add link eth0 name v7 type vlan id 7");
        none.make(List.of(probe("bound", neighbour, synthetic, 80), probe("tcp", synthetic, 80, Probes.get("allowed.example", "/")), probe("opens", "192.0.2.10", 80), probe("frames", arp(neighbour), vlan(), echo(neighbour))));
        assertThat(CAISSON.internet().since(then)).noneMatch(event -> event.kind().equals("packet") || event.kind().equals("http"));
        // The neighbour is as it was.
        assertThat(allowed.make("http", "allowed.example", 80, Probes.get("allowed.example", "/")).got()).startsWith("HTTP/1.1 200");
    }

    /// A gratuitous ARP reply: that address is mine.
    private static String arp(String address) {
        var bytes = new StringBuilder();
        for (String part : address.split("\\.")) {
            bytes.append(String.format("%02x", Integer.parseInt(part)));
        }
        return "ffffffffffff" + "020000000001" + "0806" + "0001080006040002" + "020000000001" + bytes + "ffffffffffff" + bytes;
    }

    /// A SYN for 192.0.2.10:80 with a VLAN tag.
    private static String vlan() {
        return "ffffffffffff" + "020000000001" + "81000007" + "0800" + "45000028000100004006" + "0000" + "c0000209" + "c000020a" + "30390050" + "00000001" + "00000000" + "50022000" + "0000" + "0000";
    }

    /// An echo request to the name server with that source.
    private static String echo(String source) {
        var bytes = new StringBuilder();
        for (String part : source.split("\\.")) {
            bytes.append(String.format("%02x", Integer.parseInt(part)));
        }
        return "ffffffffffff" + "020000000001" + "0800" + "4500001c000100004001" + "0000" + bytes + "c0000235" + "0800f7ff00000000";
    }
}
