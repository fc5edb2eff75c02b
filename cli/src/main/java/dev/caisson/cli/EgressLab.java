package dev.caisson.cli;

import dev.caisson.client.EgressOptions;
import dev.caisson.client.Sandbox;
import dev.caisson.client.Tier;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A world of its own to measure the way out in, and an installation of its own, whose gateway dials into that world and nowhere else. This machine's network is
/// neither used nor changed.
///
/// ```
///   sandbox ──▶ its gateway ──▶ namespace "machine" ──veth──▶ namespace "world": servers at 192.0.2.0/24
///   client in a plain namespace, or in a bare gVisor there ──veth──▶ the same
/// ```
/// The installation is below `bench/lab`, with the programs and the image store of the one that is measured, hard-linked. The namespaces have no names: they end with the programs in them,
/// which end with this one, however it ends. Made when it is first asked for. Threads: one. Cleanup: close ends and removes all of it.
final class EgressLab implements AutoCloseable {
    /// Where the servers are; those of the echo are at this and the next 15 addresses.
    static final String SITE = "192.0.2.10";
    /// Everything below `bench.example` is there.
    static final String NAME = "site.bench.example";

    private static final String RESOLVER = "192.0.2.53";
    private static final String INSIDE = "/home/user/egress-measure";
    private static final int CPUS = 2;
    private static final long MEMORY = 1L << 30;
    private static final int OPEN_FILES = 20_000;

    private final Installation of;
    private final int rounds;
    private @Nullable Open open;
    private int links;

    /// What there is once it was asked for.
    private record Open(FileChannel lock, Companion world, Companion machine, Session session, Bench bench) {}

    EgressLab(Installation of, int rounds) {
        this.of = of;
        this.rounds = rounds;
    }

    private Path program() {
        var program = of.home().resolve("bin/caisson-egress-measure");
        if (!Files.isExecutable(program)) {
            throw new CliException("what is at both ends of the way out is not installed: " + program, "install Go 1.24 or newer, and run it again");
        }
        return program;
    }

    /// The installation that is measured.
    Bench bench() throws Exception {
        return opened().bench();
    }

    private Open opened() throws Exception {
        var known = open;
        if (known == null) {
            known = make();
            open = known;
        }
        return known;
    }

    private Open make() throws Exception {
        var program = program().toString();
        var directory = Files.createDirectories(of.home().resolve("bench"));
        var lock = FileChannel.open(directory.resolve("lab.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        if (lock.tryLock() == null) {
            lock.close();
            throw new CliException("the way out is being measured already", "wait until that has ended");
        }
        var installation = new Installation(directory.resolve("lab"));
        var authority = directory.resolve("lab-ca.pem");
        var made = new ArrayList<AutoCloseable>(List.of(lock));
        try {
            if (Files.exists(installation.home())) {
                BareRuntime.remove(installation.home());
            }
            var world = namespace(program, "world", authority.toString());
            made.add(world);
            in(world, "ip", "link", "set", "lo", "up");
            in(world, "ip", "route", "add", "local", "192.0.2.0/24", "dev", "lo");
            world.round("listen");
            var machine = namespace(program, "idle");
            made.add(machine);
            var _ = link(world, machine);
            copy(installation);
            var session = Session.start(installation, new Launch.Listening("127.0.0.1:0", List.of("--egress-open", "yes"), List.of(),
                    List.of("--resolver", RESOLVER, "--extra-ca", authority.toString()), Optional.of(network(machine))));
            return new Open(lock, world, machine, session, new Bench(session, installation, rounds, this));
        } catch (Exception e) {
            for (var each : made.reversed()) {
                each.close();
            }
            throw e;
        }
    }

    /// A program in a new network namespace.
    private static Companion namespace(String... command) throws IOException {
        var line = new ArrayList<>(List.of("unshare", "--net", "--"));
        line.addAll(List.of(command));
        var companion = new Companion(line, Map.of());
        try {
            companion.round("ready");
            return companion;
        } catch (IOException | RuntimeException e) {
            companion.close();
            throw e;
        }
    }

    private static Path network(Companion in) {
        return Path.of("/proc/" + in.pid() + "/ns/net");
    }

    /// Leads from a namespace to another one, and back. Returns the address of that one's end.
    private String link(Companion to, Companion from) throws Exception {
        int number = links++;
        String name = "l" + number;
        String near = "198.51.100." + (4 * number + 2);
        String far = "198.51.100." + (4 * number + 1);
        in(to, "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", Long.toString(from.pid()));
        in(to, "ip", "addr", "add", far + "/30", "dev", name);
        in(to, "ip", "link", "set", name, "up");
        in(from, "ip", "link", "set", "lo", "up");
        in(from, "ip", "addr", "add", near + "/30", "dev", "eth0");
        in(from, "ip", "link", "set", "eth0", "up");
        in(from, "ip", "route", "add", "default", "via", far);
        return far;
    }

    private static void in(Companion namespace, String... command) throws Exception {
        var line = new ArrayList<>(List.of("nsenter", "--net=" + network(namespace), "--"));
        line.addAll(List.of(command));
        var process = new ProcessBuilder(line).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readNBytes(4_096), StandardCharsets.UTF_8);
        if (!process.waitFor(10, TimeUnit.SECONDS) || process.exitValue() != 0) {
            process.destroyForcibly();
            throw new CliException(String.join(" ", command) + ": " + said.strip(), "see `caisson doctor`");
        }
    }

    /// What never changes of the installation: its programs and its images. Copying costs nothing: the files are the same.
    private void copy(Installation to) throws IOException {
        for (String each : List.of("bin", "image/blobs", "image/disks", "image/index")) {
            var from = of.home().resolve(each);
            if (!Files.isDirectory(from)) {
                continue;
            }
            try (var files = Files.walk(from)) {
                for (var file : files.toList()) {
                    var copy = to.home().resolve(of.home().relativize(file));
                    if (Files.isDirectory(file)) {
                        Files.createDirectories(copy);
                    } else {
                        Files.createLink(copy, file);
                    }
                }
            }
        }
    }

    /// A sandbox with that way out, and room for all that is done in it.
    Sandbox sandbox(Tier tier, EgressOptions egress) throws Exception {
        return bench().caisson().create(Bench.options(tier).withEgress(egress.withBudget(10_000, 0, 10_000)).withCpus(CPUS).withMemory(MEMORY).withOpenFiles(OPEN_FILES));
    }

    /// The client in a sandbox.
    Rounds client(Sandbox sandbox) throws IOException {
        sandbox.files().upload(program(), INSIDE);
        return new GuestCompanion(sandbox, List.of(INSIDE, "client"));
    }

    /// The client with nothing between it and the servers: in a namespace that is joined to theirs and, for gVisor, in a bare one there.
    Rounds bareClient(Tier tier) throws Exception {
        var world = opened().world();
        if (tier != Tier.GVISOR) {
            var client = namespace(program().toString(), "client");
            var _ = link(world, client);
            return client;
        }
        var holder = namespace(program().toString(), "idle");
        var scratch = Files.createTempDirectory("caisson-bench");
        try {
            var _ = link(world, holder);
            var client = new Companion(new BareRuntime(bench()).guest(program(), "client", network(holder), scratch, CPUS), Map.of());
            return new Rounds() {
                @Override
                public void ask(String what) throws IOException {
                    client.ask(what);
                }

                @Override
                public double answer() throws IOException {
                    return client.answer();
                }

                @Override
                public void close() throws IOException {
                    client.close();
                    holder.close();
                    remove(scratch);
                }
            };
        } catch (Exception e) {
            holder.close();
            remove(scratch);
            throw e;
        }
    }

    /// A client in a namespace from which a relay that does nothing else leads to the servers.
    record Relayed(Companion relay, Companion client, String address) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            try (relay) {
                client.close();
            }
        }
    }

    Relayed relayed(int port) throws Exception {
        var relay = namespace(program().toString(), "relay", SITE + ":" + port);
        try {
            var _ = link(opened().world(), relay);
            var client = namespace(program().toString(), "client");
            return new Relayed(relay, client, link(relay, client) + ":" + port);
        } catch (Exception e) {
            relay.close();
            throw e;
        }
    }

    private static void remove(Path directory) throws IOException {
        try {
            BareRuntime.remove(directory);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } catch (IOException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException("cannot remove " + directory + ": " + e.getMessage(), e);
        }
    }

    /// What the gateway holds. Unit: bytes.
    long gatewayResident() throws Exception {
        return bench().installation().process("gateway").map(each -> StatusCommand.resident(each.pid())).orElseThrow(() -> new CliException("the gateway is not there", "see `caisson doctor`"));
    }

    @Override
    public void close() throws IOException {
        var known = open;
        if (known == null) {
            return;
        }
        open = null;
        try (var _ = known.lock(); var _ = known.world(); var _ = known.machine()) {
            known.session().close();
            remove(known.bench().installation().home());
            Files.deleteIfExists(of.home().resolve("bench/lab-ca.pem"));
        }
    }
}
