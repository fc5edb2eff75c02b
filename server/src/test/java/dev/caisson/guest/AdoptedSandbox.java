package dev.caisson.guest;

import dev.caisson.host.NetworkNamespace;
import dev.caisson.link.Link;
import dev.caisson.link.LinkLimits;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.Driver;
import dev.caisson.runtime.TestMachine;
import dev.caisson.runtime.container.ContainerDriver;
import dev.caisson.runtime.gvisor.GvisorDriver;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandEvent.Channel;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;

/// A sandbox with the agent of the machine's own installation, which a test adopts as it likes: no node is between.
///
/// Cleanup: close releases all that it holds.
final class AdoptedSandbox implements AutoCloseable {
    private static final Limits LIMITS = new Limits(new Cpus(1000), ByteSize.mib(256), 64, ByteSize.mib(64), 1024);
    private static final AtomicInteger SLOT = new AtomicInteger();
    private static final Random RANDOM = new Random();

    private final TestMachine machine;
    private final Driver driver;
    private final Boot boot;
    private final ServerSocketChannel door;
    private final Agent agent;
    private int commands;

    private AdoptedSandbox(TestMachine machine, Driver driver, Boot boot, ServerSocketChannel door, Agent agent) {
        this.machine = machine;
        this.driver = driver;
        this.boot = boot;
        this.door = door;
        this.agent = agent;
    }

    private static Path bin(String program) {
        return Path.of(Optional.ofNullable(System.getenv("CAISSON_HOME")).orElse("/var/lib/caisson"), "bin", program);
    }

    /// Why this machine cannot give one; empty when it can.
    static Optional<String> unfit(TestMachine machine, Tier tier) {
        return Files.isExecutable(bin("caisson-agent")) ? driver(machine, tier).unfit() : Optional.of("no agent: run ./caisson setup");
    }

    private static Driver driver(TestMachine machine, Tier tier) {
        return tier == Tier.CONTAINER ? new ContainerDriver(bin("caisson-agent"), machine.cgroups, machine.home) : new GvisorDriver(bin("runsc"), bin("caisson-agent"), machine.cgroups);
    }

    /// Boots one and waits for its agent, which nobody has adopted yet.
    static AdoptedSandbox boot(TestMachine machine, Tier tier, Boot.Image image) throws IOException, InterruptedException {
        var id = SandboxId.random(RANDOM);
        var trust = tier == Tier.CONTAINER ? Trust.TRUSTED : Trust.UNTRUSTED;
        var spec = new SandboxSpec(TemplateName.BASE, trust, tier, LIMITS, Duration.ofMinutes(1), Map.of(), Map.of());
        var home = machine.home;
        var boot = new Boot(id, spec, home.sandbox(id.value()), home.cgroup(id.value()), home.agentSocket(id.value()), SLOT.getAndIncrement(), home.sandbox(id.value()).resolve("net"), Boot.Content.of(image));
        Files.createDirectory(boot.directory(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
        new NetworkNamespace(boot.network()).create();
        Files.createDirectory(boot.agentSocket().getParent());
        var door = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        door.bind(UnixDomainSocketAddress.of(boot.agentSocket()));
        var driver = driver(machine, tier);
        try {
            driver.boot(boot);
            // An agent that never dials is met by the test's own bound.
            var link = Link.start(door.accept(), Link.Side.LISTENED, LinkLimits.STANDARD, null, id.value());
            return new AdoptedSandbox(machine, driver, boot, door, Agent.greet(link, Duration.ofSeconds(30), Duration.ofSeconds(30)));
        } catch (IOException | InterruptedException | RuntimeException e) {
            door.close();
            release(machine, driver, boot);
            throw e;
        }
    }

    void adopt(SeedFile... files) throws IOException, InterruptedException {
        agent.adopt(boot.id().value(), Map.of(), "user", 0, new byte[0], List.of(files), Optional.empty());
    }

    /// What a line of bash prints, as the sandbox's user.
    String bash(String line) throws IOException, InterruptedException {
        return run("", line);
    }

    String asRoot(String line) throws IOException, InterruptedException {
        return run("root", line);
    }

    private String run(String user, String line) throws IOException, InterruptedException {
        var spec = new CommandSpec(List.of("bash", "-c", line), Map.of(), "/", user, Optional.empty(), Duration.ofMinutes(1), ByteSize.gib(1), false);
        var out = new ByteArrayOutputStream();
        try (var command = agent.start(CommandId.of(++commands), spec, 1024, 0)) {
            while (command.next() instanceof GuestEvent.Output output) {
                byte[] bytes = new byte[output.data().remaining()];
                output.data().get(bytes);
                if (output.channel() == Channel.STDOUT) {
                    out.writeBytes(bytes);
                } else {
                    System.getLogger("sandbox").log(System.Logger.Level.WARNING, new String(bytes, StandardCharsets.UTF_8));
                }
            }
            command.finish();
        }
        return out.toString(StandardCharsets.UTF_8);
    }

    @Override
    public void close() throws IOException {
        agent.close();
        door.close();
        release(machine, driver, boot);
    }

    private static void release(TestMachine machine, Driver driver, Boot boot) throws IOException {
        try {
            for (Resource resource : driver.resources(boot).reversed()) {
                if (!machine.reclaimer.release(resource).gone()) {
                    throw new IOException("left behind: " + resource);
                }
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted; it may have left something behind");
        }
    }
}
