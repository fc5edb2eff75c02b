package dev.caisson.app;

import dev.caisson.egress.Gateway;
import dev.caisson.egress.GatewayServer;
import dev.caisson.egress.GatewaySettings;
import dev.caisson.egress.SealKey;
import dev.caisson.egress.TrustedRoots;
import dev.caisson.host.GatewaySockets;
import dev.caisson.host.Home;
import dev.caisson.host.Privileges;
import dev.caisson.link.Link;
import dev.caisson.link.LinkLimits;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// The gateway process: parses what sandboxes send, so it is nobody: its own user, without capabilities, once its sockets are open.
///
/// `--home DIR [--resolver ADDRESS[:PORT],…] [--extra-ca FILE] [--tied]`. Started as root. Prints `ready` when it answers on `run/gateway.sock`.
public final class GatewayMain {
    /// The system user that it becomes.
    static final String USER = "caisson-gateway";

    private static final String RESOLVER = "resolver";
    private static final String EXTRA_CA = "extra-ca";
    /// For the node to make the network that this listens in.
    private static final Duration NETWORK_WITHIN = Duration.ofSeconds(30);
    private static final Duration LOOK = Duration.ofMillis(50);

    private GatewayMain() {}

    public static void main(String[] args) {
        ServerProcess.run(args, List.of("home", RESOLVER, EXTRA_CA), options -> {
            var home = options.home();
            var resolvers = Resolvers.of(Optional.ofNullable(options.values().get(RESOLVER)));
            var roots = roots(Optional.ofNullable(options.values().get(EXTRA_CA)).map(Path::of));
            // All that needs root, and none of it looks at a byte of a sandbox.
            makeDirectory(home);
            String network = awaitNetwork(home, options.tie());
            var sockets = GatewaySockets.open(home);
            var socket = NodeSocket.open(home.gatewaySocket(), Set.of("root"));
            Privileges.become(USER);
            var random = new SecureRandom();
            var settings = new GatewaySettings(home.gateway(), resolvers, roots, SealKey.openOrMake(home.gateway(), random), InstantSource.system(), random);
            var gateway = Gateway.start(sockets, settings);
            var server = new GatewayServer(gateway);
            Thread.ofVirtual().name("accept-node").start(() -> socket.acceptAll(channel -> Link.start(channel, Link.Side.LISTENED, LinkLimits.INTERNAL, server::accept, "node")));
            Thread.ofVirtual().name("network").start(() -> endWhenReplaced(home, network));
            return () -> {
                socket.close();
                gateway.close();
            };
        });
    }

    /// Read as root: the operator's file need not be for everybody.
    private static TrustedRoots roots(Optional<Path> more) throws IOException {
        try {
            return TrustedRoots.read(more.stream().toList());
        } catch (GeneralSecurityException e) {
            throw new IOException("the certificates of " + more.map(Path::toString).orElse("this machine's Java") + " cannot be read: " + e.getMessage(), e);
        }
    }

    private static void makeDirectory(Home home) throws IOException {
        Path directory = home.gateway();
        Files.createDirectories(directory);
        var users = directory.getFileSystem().getUserPrincipalLookupService();
        var view = Files.getFileAttributeView(directory, PosixFileAttributeView.class);
        view.setOwner(users.lookupPrincipalByName(USER));
        view.setGroup(users.lookupPrincipalByGroupName(USER));
        // Passed through by the front, which reads the public key.
        view.setPermissions(PosixFilePermissions.fromString("rwx--x--x"));
    }

    /// Waits until the node has made the network; tells it from another one that may come after it.
    private static String awaitNetwork(Home home, ServerProcess.Tie tie) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + NETWORK_WITHIN.toNanos();
        while (identity(home).isEmpty()) {
            if (tie.isGone()) {
                throw new InterruptedException("nobody waits for this gateway any more");
            }
            if (Files.exists(home.gatewayUnfit())) {
                throw new IOException(Files.readString(home.gatewayUnfit()));
            }
            if (System.nanoTime() > deadline) {
                throw new IOException("the node has made no network at " + home.gatewayNetwork() + " within " + NETWORK_WITHIN.toSeconds() + " s; its log says why");
            }
            Thread.sleep(LOOK);
        }
        return identity(home);
    }

    /// Device and inode of the namespace; empty while there is none: a namespace's file is not on the disk that the directory is on.
    private static String identity(Home home) throws IOException {
        try {
            var file = Files.readAttributes(home.gatewayNetwork(), "unix:dev,ino");
            boolean isPlainFile = Files.getAttribute(home.run(), "unix:dev").equals(file.get("dev"));
            return isPlainFile ? "" : file.get("dev") + ":" + file.get("ino");
        } catch (NoSuchFileException _) {
            return "";
        }
    }

    /// A node that began anew has made another network, in which this process has no sockets and may open none: whoever keeps it starts it again.
    private static void endWhenReplaced(Home home, String network) {
        try {
            while (true) {
                Thread.sleep(LOOK);
                String now = identity(home);
                if (!now.isEmpty() && !now.equals(network)) {
                    System.err.println("the network was made anew; starting again");
                    Runtime.getRuntime().halt(ServerProcess.PLATFORM_FAILED);
                }
            }
        } catch (IOException e) {
            System.err.println("error: the network cannot be watched: " + e.getMessage());
            Runtime.getRuntime().halt(ServerProcess.PLATFORM_FAILED);
        } catch (InterruptedException _) {
            // The process ends.
        }
    }
}
