package dev.caisson.app;

import dev.caisson.host.Cgroups;
import dev.caisson.host.Reclaimer;
import dev.caisson.image.Images;
import dev.caisson.link.Link;
import dev.caisson.link.LinkLimits;
import dev.caisson.node.Node;
import dev.caisson.node.NodeParts;
import dev.caisson.remote.SandboxesServer;
import dev.caisson.runtime.Drivers;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;

/// The node process: root, no network socket at all; it parses nothing but link frames, from the front (its user is checked) and from agents.
///
/// `--home DIR [--max-paused-seconds N] [--standby N] [--tied]`. Prints `ready` when it answers on `run/node.sock`.
public final class NodeMain {
    private static final String MAX_PAUSED = "max-paused-seconds";
    private static final String STANDBY = "standby";
    /// A node that is made for one command has ended by then, and has better to do until then.
    private static final Duration ONE_COMMAND = Duration.ofSeconds(2);

    private NodeMain() {}

    public static void main(String[] args) {
        ServerProcess.run(args, List.of("home", MAX_PAUSED, STANDBY), options -> {
            var home = options.home();
            var lock = HomeLock.take(home.node().resolve("node.lock"), "a node");
            var cgroups = Cgroups.detect();
            var reclaimer = new Reclaimer(home, cgroups);
            var drivers = InstalledDrivers.of(home, cgroups);
            var node = Node.open(new NodeParts(home, cgroups, reclaimer, Images.open(home), drivers, InstantSource.system(), new SecureRandom(), maxPaused(options), standbys(options)));
            var server = new SandboxesServer(node, node::deleteAll);
            var socket = NodeSocket.open(home.nodeSocket());
            Thread.ofVirtual().name("accept").start(() -> socket.acceptAll(channel -> serve(channel, server)));
            Thread.ofVirtual().name("drivers").start(() -> findOut(drivers));
            return new ServerProcess.Running() {
                @Override
                public void abandoned() throws InterruptedException {
                    node.deleteAll();
                }

                @Override
                public void close() throws IOException {
                    socket.close();
                    node.close();
                    lock.close();
                }
            };
        });
    }

    /// What takes long to find out of this host is known, or on its way, before anybody asks.
    private static void findOut(Drivers drivers) {
        try {
            Thread.sleep(ONE_COMMAND);
            drivers.beginTrials();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    /// How long a sandbox may be paused before it is deleted: 1 second to 30 days.
    private static Duration maxPaused(ServerProcess.Options options) {
        String asked = options.values().getOrDefault(MAX_PAUSED, Long.toString(NodeParts.MAX_PAUSED.toSeconds()));
        if (!asked.matches("[0-9]{1,7}") || Long.parseLong(asked) < 1 || Long.parseLong(asked) > Duration.ofDays(30).toSeconds()) {
            throw new IllegalArgumentException("--" + MAX_PAUSED + " is 1 to " + Duration.ofDays(30).toSeconds() + ", got " + asked);
        }
        return Duration.ofSeconds(Long.parseLong(asked));
    }

    /// How many machines of a kind are made ahead.
    private static int standbys(ServerProcess.Options options) {
        String asked = options.values().getOrDefault(STANDBY, "0");
        if (!asked.matches("[0-9]{1,2}") || Integer.parseInt(asked) > NodeParts.MAX_STANDBYS) {
            throw new IllegalArgumentException("--" + STANDBY + " is 0 to " + NodeParts.MAX_STANDBYS + ", got " + asked);
        }
        return Integer.parseInt(asked);
    }

    private static void serve(SocketChannel channel, SandboxesServer server) throws IOException {
        Link.start(channel, Link.Side.LISTENED, LinkLimits.INTERNAL, server::accept, "front");
    }
}
