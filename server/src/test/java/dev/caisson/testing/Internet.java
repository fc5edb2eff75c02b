package dev.caisson.testing;

import dev.caisson.json.JsonObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/// An internet of our own, and a host whose only link leads into it; no packet of either reaches a real network.
///
/// Two network namespaces, joined by one link. The host's is where the product under test runs ([#prefix]). The other owns every address there is: name servers
/// at [#RESOLVER] and [#RESOLVER6], sites at 192.0.2.0/24 and 2001:db8::/64 whose names are in `world/names.go`, and everywhere else a sink that takes every
/// connection. The first packet of every flow is written down as it leaves the host's link, whoever answers it: what is not among [#since] did not leave.
///
/// Threads: one. Cleanup: close; when this JVM dies its program removes all of it.
public final class Internet implements AutoCloseable {
    public static final String RESOLVER = "192.0.2.53";
    public static final String RESOLVER6 = "2001:db8::53";
    /// The host's own addresses on its link.
    public static final String HOST = "198.51.100.2";
    public static final String HOST6 = "2001:db8:ffff::2";
    /// What nobody but a sandbox that means harm would want to reach: metadata services, private networks, link-local and public strangers.
    public static final List<String> STRANGERS = List.of("169.254.169.254", "169.254.170.2", "169.254.20.10", "100.100.100.200", "168.63.129.16", "192.0.0.192", "10.0.0.1", "172.16.0.1",
            "192.168.0.1", "100.64.0.1", "1.1.1.1", "8.8.8.8", "9.9.9.9", "203.0.113.7", "fd00:ec2::254", "fd12:3456::1", "2606:4700:4700::1111", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
            "2001:db8:1::7");

    private static final Path SOURCE = Path.of("src/test/resources/dev/caisson/testing/internet");
    private static final AtomicInteger OPENED = new AtomicInteger();
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String LINK = "up0";
    private static final String RULES =
            """
            table inet lab {
              chain take {
                type filter hook prerouting priority mangle;
                iifname != "up0" return
                ip daddr 198.51.100.0/30 return
                ip6 daddr { 2001:db8:ffff::/126, fe80::/10, ff00::/8 } return
                ip daddr 192.0.2.99 drop
                ip daddr 192.0.2.0/24 return
                ip6 daddr 2001:db8::/64 return
                meta nfproto ipv4 meta l4proto tcp tproxy ip to :9 accept
                meta nfproto ipv6 meta l4proto tcp tproxy ip6 to :9 accept
              }
            }
            """;

    /// Something that arrived.
    ///
    /// @param kind `packet` (the first of a flow), `stream` (a connection that the sink took), `dns` (a question), `tls` (the names of a handshake), `http` (a
    ///     request), `request` (all of one to `/headers`), `raw` (what the site got that parses nothing)
    /// @param to the address it was for; empty where the kind says where it was
    /// @param name that was asked for, or that TLS or HTTP named
    /// @param what the rest: first bytes, a question's type, a request's line
    public record Event(String kind, String protocol, String from, String to, int port, String name, String what) {}

    private final String name;
    private final Path directory;
    private final Path programs;
    private final Process world;

    private Internet(String name, Path directory, Path programs, Process world) {
        this.name = name;
        this.directory = directory;
        this.programs = programs;
        this.world = world;
    }

    public static Internet open() throws IOException, InterruptedException {
        Path programs = GoPrograms.built(SOURCE, "world", "reach");
        String name = "caisson-lab-" + ProcessHandle.current().pid() + "-" + OPENED.incrementAndGet();
        Path directory = Files.createTempDirectory("caisson-lab");
        // The gateway reads the authority as a user of its own.
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
        String host = name + "-host";
        String internet = name + "-internet";
        try {
            must("ip", "netns", "add", host);
            must("ip", "netns", "add", internet);
            must("ip", "-n", host, "link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns", internet);
            for (String side : List.of(host, internet)) {
                must("ip", "-n", side, "link", "set", "lo", "up");
            }
            addresses(host, HOST, HOST6);
            addresses(internet, "198.51.100.1", "2001:db8:ffff::1");
            must("ip", "-n", internet, "addr", "add", "fe80::a9fe:a9fe/64", "dev", LINK, "nodad");
            for (String family : List.of("-4", "-6")) {
                must("ip", "-n", host, family, "route", "add", "default", "via", family.equals("-4") ? "198.51.100.1" : "2001:db8:ffff::1");
                // Behind the table of the link, so that answers find the way back to the host.
                must("ip", "-n", internet, family, "rule", "add", "pref", "40000", "lookup", "100");
                must("ip", "-n", internet, family, "route", "add", "local", "default", "dev", "lo", "table", "100");
            }
            // Answers go out from what the local table knows; what IPv6 listeners name must be an interface's too.
            must("ip", "-n", internet, "route", "add", "local", "192.0.2.0/24", "dev", "lo");
            for (String address : List.of(RESOLVER + "/32", RESOLVER6 + "/128")) {
                must("ip", "-n", internet, "addr", "add", address, "dev", "lo");
            }
            in(internet, "nft", RULES);
            repository(directory.resolve("git"));
            // It outlives this JVM by as long as it takes to remove what was made.
            String script = "trap '' INT TERM HUP; ip netns exec \"$1\" \"$2\" \"$3\" " + LINK + "; ip netns del \"$1\"; ip netns del \"$4\"; rm -rf \"$3\"";
            var world = new ProcessBuilder("sh", "-c", script, "sh", internet, programs.resolve("world").toString(), directory.toString(), host).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            var opened = new Internet(name, directory, programs, world);
            String said = new BufferedReader(new InputStreamReader(world.getInputStream(), StandardCharsets.UTF_8)).readLine();
            if (!"ready".equals(said)) {
                opened.close();
                throw new IOException("the internet did not start: " + said);
            }
            return opened;
        } catch (IOException e) {
            for (String namespace : List.of(host, internet)) {
                if (Files.exists(Path.of("/run/netns", namespace))) {
                    must("ip", "netns", "del", namespace);
                }
            }
            throw e;
        }
    }

    private static void addresses(String namespace, String four, String six) throws IOException, InterruptedException {
        must("ip", "-n", namespace, "addr", "add", four + "/30", "dev", LINK);
        must("ip", "-n", namespace, "addr", "add", six + "/126", "dev", LINK, "nodad");
        must("ip", "-n", namespace, "link", "set", LINK, "up");
    }

    private static void in(String namespace, String program, String input) throws IOException, InterruptedException {
        var process = new ProcessBuilder("nsenter", "--net=/run/netns/" + namespace, program, "-f", "-").redirectErrorStream(true).start();
        try (var to = process.getOutputStream()) {
            to.write(input.getBytes(StandardCharsets.UTF_8));
        }
        ended(process, program);
    }

    private static void repository(Path below) throws IOException, InterruptedException {
        Path work = Files.createDirectories(below.resolve("work"));
        must("git", "init", "-q", "-b", "main", work.toString());
        Files.writeString(work.resolve("greeting"), "hello from a repository\n");
        must("git", "-C", work.toString(), "add", "greeting");
        must("git", "-C", work.toString(), "-c", "user.name=Lab", "-c", "user.email=lab@allowed.example", "commit", "-q", "-m", "greet");
        must("git", "clone", "-q", "--bare", work.toString(), below.resolve("greeting.git").toString());
        must("git", "-C", below.resolve("greeting.git").toString(), "config", "http.receivepack", "true");
    }

    /// What makes a command run on the host: with its one link, and this machine's files and processes.
    public List<String> prefix() {
        return List.of("nsenter", "--net=/run/netns/" + name + "-host");
    }

    /// The certificate of the authority that every honest site's certificate is from.
    public Path authority() {
        return directory.resolve("ca.pem");
    }

    /// `reach`, a static client of TLS, HTTP/2, WebSocket, gRPC, SSH, and raw bytes (see `reach/main.go`).
    public Path client() {
        return programs.resolve("reach");
    }

    /// Runs `reach` on the host, with the test's name server and authority; answers what it said.
    public String reach(String... words) throws IOException, InterruptedException {
        var command = new ArrayList<>(List.of(client().toString(), "-resolver", RESOLVER, "-ca", authority().toString()));
        command.addAll(List.of(words));
        return run(command);
    }

    /// Runs a command on the host; answers what it said on both channels, whatever its status.
    public String run(List<String> command) throws IOException, InterruptedException {
        var process = new ProcessBuilder(Stream.concat(prefix().stream(), command.stream()).toList()).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        process.waitFor();
        return said;
    }

    /// Reaches an address of the sink from the host: proof that it hears.
    public void visit(String address, int port) throws IOException, InterruptedException {
        String said = reach("tcp", (address.contains(":") ? "[" + address + "]" : address) + ":" + port, "visit");
        if (!said.equals("SINK\n")) {
            throw new IOException("the sink did not answer at " + address + ": " + said);
        }
    }

    /// Everything that has arrived so far; numbers for [#since] are places in it.
    public int now() throws IOException, InterruptedException {
        return settled().size();
    }

    /// What has arrived since then, of whatever had left the host when this was called; without what this class itself sent.
    public List<Event> since(int then) throws IOException, InterruptedException {
        var all = settled();
        return all.subList(then, all.size());
    }

    /// Of that, what was for neither a name server nor a site.
    public List<Event> visitors(int then) throws IOException, InterruptedException {
        return since(then).stream().filter(event -> Set.of("packet", "stream").contains(event.kind()) && !isSite(event.to())).toList();
    }

    /// Of that, the names that were asked for.
    public List<String> questions(int then) throws IOException, InterruptedException {
        return since(then).stream().filter(event -> event.kind().equals("dns")).map(Event::name).toList();
    }

    /// Of that, all that came to one address.
    public List<Event> arrivals(int then, String address) throws IOException, InterruptedException {
        return since(then).stream().filter(event -> event.to().equals(address)).toList();
    }

    private static boolean isSite(String address) {
        return address.startsWith("192.0.2.") || address.matches("2001:db8::[0-9a-f]*");
    }

    /// Packets are written down in the order in which they came: when the last one is there, all are.
    private List<Event> settled() throws IOException, InterruptedException {
        String token = UUID.randomUUID().toString();
        reach("udp", MARK + ":9", token);
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            var events = events();
            if (events.stream().anyMatch(event -> event.what().equals(token))) {
                return events.stream().filter(event -> !event.to().equals(MARK)).toList();
            }
            if (System.nanoTime() > until || !world.isAlive()) {
                throw new IOException("the internet does not hear any more");
            }
            Thread.sleep(2);
        }
    }

    private static final String MARK = "198.51.100.1";

    private List<Event> events() throws IOException {
        byte[] written = Files.readAllBytes(directory.resolve("events"));
        var events = new ArrayList<Event>();
        // Whole lines only: another may be half written.
        int end = written.length;
        while (end > 0 && written[end - 1] != '\n') {
            end--;
        }
        new String(written, 0, end, StandardCharsets.UTF_8).lines().forEach(line -> {
            var object = JsonObject.parse(line.getBytes(StandardCharsets.UTF_8));
            events.add(new Event(object.text("kind"), object.text("protocol", ""), object.text("from", ""), object.text("to", ""), object.has("port") ? object.whole("port", 0, 65_535) : 0,
                    object.text("name", ""), object.text("what", "")));
        });
        return events;
    }

    @Override
    public void close() throws IOException {
        try {
            world.getOutputStream().close();
            if (!world.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                world.destroyForcibly();
                throw new IOException("the internet did not end");
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        if (Files.exists(directory) || Files.exists(Path.of("/run/netns", name + "-host")) || Files.exists(Path.of("/run/netns", name + "-internet"))) {
            throw new IOException("the internet left something behind");
        }
    }

    private static void must(String... command) throws IOException, InterruptedException {
        ended(new ProcessBuilder(command).redirectErrorStream(true).start(), String.join(" ", command));
    }

    private static void ended(Process process, String what) throws IOException, InterruptedException {
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(what + ": " + said);
        }
    }
}
