package dev.caisson.host;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.concurrent.locks.ReentrantLock;

/// The namespace that every sandbox's network leads to, and nothing leads out of: no uplink, no forwarding, no translation. Its rules (`gateway.nft`) hand
/// connections to the gateway's listener and refuse the rest.
///
/// ```
///   sandbox eth0 ──▶ pN   gateway namespace: nft → listener of the gateway process, which dials from the machine's namespace
/// ```
/// A link is in one of two groups: of one whose sandbox may reach addresses without a name every TCP connection goes to the gateway, of the other only
/// those to addresses that the gateway's resolver gave out.
/// Threads: safe for many. Cleanup: close; the namespace stays, [#remove] ends it.
public final class GatewayNetwork implements AutoCloseable {
    /// Where sandboxes ask for names, at port 53.
    public static final String RESOLVER = "100.127.255.53";
    public static final String RESOLVER6 = "fdca:1550:ffff::53";
    /// Where the gateway's transparent listener is, in this namespace.
    public static final int LISTENER_PORT = 15001;
    /// The kernel log group that refused packets are told to.
    static final int LOG_GROUP = 1550;

    private static final int NAMES_ONLY = 1;
    private static final int NAMES_AND_ADDRESSES = 2;
    private static final int MARK = 1;
    private static final int MARKED_TABLE = 100;
    private static final int INSIDE_INDEX = 2;
    private static final Duration BOUND = Duration.ofSeconds(10);
    private static final ReentrantLock MAKING = new ReentrantLock();

    private final Home home;
    private final Netlink route;
    private final Netlink filter;
    private final int namespace;

    private GatewayNetwork(Home home, Netlink route, Netlink filter, int namespace) {
        this.home = home;
        this.route = route;
        this.filter = filter;
        this.namespace = namespace;
    }

    /// Opens it; makes it when it is not there, or not whole.
    ///
    /// Errors: an [IOException] that says what this machine lacks.
    public static GatewayNetwork open(Home home) throws IOException, InterruptedException {
        Path path = home.gatewayNetwork();
        Files.createDirectories(home.plugs());
        Files.setPosixFilePermissions(home.plugs(), PosixFilePermissions.fromString("rwx------"));
        makeWhereMissing(home, path);
        return join(home);
    }

    /// One that is there.
    private static GatewayNetwork join(Home home) throws IOException, InterruptedException {
        String path = home.gatewayNetwork().toString();
        return OwnThread.leaving(OwnThread.Namespace.NETWORK, () -> {
            int namespace = NativeLinux.open(path, NativeLinux.O_RDONLY);
            Netlink route = null;
            try {
                NativeLinux.setns(namespace, NativeLinux.CLONE_NEWNET, path);
                route = Netlink.open(Netlink.ROUTE);
                return new GatewayNetwork(home, route, Netlink.open(Netlink.NETFILTER), namespace);
            } catch (IOException e) {
                if (route != null) {
                    route.close();
                }
                NativeLinux.close(namespace);
                throw e;
            }
        });
    }

    /// One at a time: of one home there is one node.
    private static void makeWhereMissing(Home home, Path path) throws IOException, InterruptedException {
        MAKING.lockInterruptibly();
        try {
            if (!Mounts.isMounted(path)) {
                make(home);
            }
        } finally {
            MAKING.unlock();
        }
    }

    /// Whole or not at all: it gets its name last.
    private static void make(Home home) throws IOException, InterruptedException {
        Path fresh = home.gatewayNetwork().resolveSibling("gateway.net.new");
        Mounts.unmount(fresh);
        Files.deleteIfExists(fresh);
        Files.deleteIfExists(home.gatewayNetwork());
        new NetworkNamespace(fresh).create(GatewayNetwork::furnish);
        try {
            loadRules(fresh, home);
            Files.createFile(home.gatewayNetwork());
            NativeLinux.mount(fresh.toString(), home.gatewayNetwork().toString(), "none", NativeLinux.MS_BIND, "");
        } finally {
            Mounts.unmount(fresh);
            Files.deleteIfExists(fresh);
        }
    }

    private static void furnish() throws IOException {
        // A new namespace takes these from the machine, which may forward. Strict sources bind ARP too: the table of neighbours is one for the whole machine, and must not
        // be filled by whoever asks under a thousand names.
        for (String setting : List.of("ipv4/ip_forward=0", "ipv6/conf/all/forwarding=0", "ipv4/conf/all/rp_filter=1", "ipv4/conf/all/accept_redirects=0", "ipv4/conf/all/proxy_arp=0")) {
            int equals = setting.indexOf('=');
            Files.writeString(Path.of("/proc/sys/net", setting.substring(0, equals)), setting.substring(equals + 1));
        }
        try (var inside = Netlink.open(Netlink.ROUTE)) {
            Links.address(inside, "lo", Links.LOOPBACK_INDEX, InetAddress.ofLiteral(RESOLVER).getAddress(), 32);
            Links.address(inside, "lo", Links.LOOPBACK_INDEX, InetAddress.ofLiteral(RESOLVER6).getAddress(), 128);
            Links.deliverMarked(inside, NativeLinux.AF_INET, MARK, MARKED_TABLE);
            Links.deliverMarked(inside, NativeLinux.AF_INET6, MARK, MARKED_TABLE);
        }
    }

    private static void loadRules(Path namespace, Home home) throws IOException, InterruptedException {
        Path script = home.run().resolve("gateway.nft");
        Path log = home.run().resolve("gateway.nft.log");
        try (InputStream text = GatewayNetwork.class.getResourceAsStream("gateway.nft")) {
            Files.write(script, Objects.requireNonNull(text, "gateway.nft is missing from the jar").readAllBytes());
            Files.deleteIfExists(log);
            Child.of(log, "/usr/bin/nsenter", "--net=" + namespace, "--", "nft", "-f", script.toString()).mustRun(BOUND);
        } catch (IOException e) {
            throw new IOException("the gateway's network cannot be made: " + e.getMessage(), e);
        } finally {
            Files.deleteIfExists(script);
            Files.deleteIfExists(log);
        }
    }

    /// Makes a plug: a namespace with a link to this one, addresses, and a default route that leads here.
    ///
    /// Errors: a [NativeException] EEXIST when one with that number is there.
    public NetworkPlug plug(int index) throws IOException, InterruptedException {
        var plug = NetworkPlug.of(home, index);
        new NetworkNamespace(plug.namespace()).create(() -> {
            try (var inside = Netlink.open(Netlink.ROUTE)) {
                Links.addPair(inside, NetworkPlug.INSIDE, INSIDE_INDEX, plug.link(), plug.linkIndex(), namespace);
                // What an earlier sandbox at this number was refused is not this one's.
                Refusals.forget(filter, plug.link());
                Links.up(inside, NetworkPlug.INSIDE, INSIDE_INDEX, 0);
                Links.address(inside, NetworkPlug.INSIDE, INSIDE_INDEX, plug.address().getAddress(), NetworkPlug.PREFIX);
                Links.address(inside, NetworkPlug.INSIDE, INSIDE_INDEX, plug.address6().getAddress(), NetworkPlug.PREFIX6);
                Links.up(route, plug.link(), plug.linkIndex(), NAMES_ONLY);
                Links.address(route, plug.link(), plug.linkIndex(), plug.gatewayBytes(), NetworkPlug.PREFIX);
                Links.address(route, plug.link(), plug.linkIndex(), plug.gatewayBytes6(), NetworkPlug.PREFIX6);
                Links.defaultRoute(inside, INSIDE_INDEX, plug.gatewayBytes());
                Links.defaultRoute(inside, INSIDE_INDEX, plug.gatewayBytes6());
            }
        });
        return plug;
    }

    /// Says whether a sandbox may reach addresses without a name; at once, for connections that are open too.
    public void reachesAddresses(NetworkPlug plug, boolean may) throws IOException {
        Links.group(route, plug.link(), plug.linkIndex(), may ? NAMES_AND_ADDRESSES : NAMES_ONLY);
    }

    /// How many packets of that plug's sandbox were refused.
    public long refusedPackets(NetworkPlug plug) throws IOException {
        return Refusals.of(filter, plug.link());
    }

    /// True for a failure that means that the number of a plug is not free.
    public static boolean isTaken(IOException failure) {
        return failure instanceof NativeException refused && refused.errno() == Errno.EEXIST;
    }

    /// Packets that the sandbox with that namespace was refused, wherever it was plugged in; 0 when it is gone.
    public static long refusedPackets(Home home, Path namespace) throws IOException, InterruptedException {
        OptionalInt index = NetworkPlug.indexOf(namespace);
        if (index.isEmpty() || !Mounts.isMounted(home.gatewayNetwork())) {
            return new NetworkNamespace(namespace).refusedPackets();
        }
        try (var gateway = join(home)) {
            return gateway.refusedPackets(new NetworkPlug(index.getAsInt(), namespace));
        }
    }

    /// Ends it, when no plug is left.
    public static void removeUnused(Home home) throws IOException {
        if (Files.isDirectory(home.plugs())) {
            try (var plugs = Files.newDirectoryStream(home.plugs())) {
                if (plugs.iterator().hasNext()) {
                    return;
                }
            }
        }
        Mounts.unmount(home.gatewayNetwork());
        Files.deleteIfExists(home.gatewayNetwork());
    }

    @Override
    public void close() {
        route.close();
        filter.close();
        NativeLinux.close(namespace);
    }
}
