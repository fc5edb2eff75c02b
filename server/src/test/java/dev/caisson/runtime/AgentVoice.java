package dev.caisson.runtime;

import dev.caisson.guest.Agent;
import dev.caisson.guest.Awakening;
import dev.caisson.guest.GuestEvent;
import dev.caisson.link.LinkException;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.Limits;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;

/// The agent that every sandbox has, adopted by nobody in particular.
public final class AgentVoice implements Voice {
    private static final Duration BOUND = Duration.ofSeconds(30);
    // Numbers of before belong to what a template has started.
    private static final long FIRST_COMMAND = 100;

    private final Agent agent;
    private final Limits limits;
    private long commands = FIRST_COMMAND;

    private AgentVoice(Agent agent, Limits limits) {
        this.agent = agent;
        this.limits = limits;
    }

    public static AgentVoice greet(SocketChannel visitor, Limits limits) throws IOException, InterruptedException {
        visitor.configureBlocking(true);
        Agent agent = Agent.greet(visitor, "test", Duration.ofSeconds(60), BOUND);
        var random = new Random();
        byte[] ids = new byte[80];
        random.nextBytes(ids);
        var awakening = new Awakening(Arrays.copyOf(ids, 16), Arrays.copyOfRange(ids, 16, 32), List.of(), List.of());
        agent.adopt("test", Map.of(), "user", Instant.now().toEpochMilli() * 1_000_000, Arrays.copyOfRange(ids, 32, 80), List.of(), Optional.of(awakening));
        return new AgentVoice(agent, limits);
    }

    @Override
    public Answer run(String line, String user) throws IOException, InterruptedException {
        try (var command = agent.start(CommandId.of(++commands), spec(line, user), limits.openFiles(), limits.processes())) {
            var text = new ByteArrayOutputStream();
            while (true) {
                switch (command.next()) {
                    case GuestEvent.Output output -> {
                        byte[] piece = new byte[output.data().remaining()];
                        output.data().get(piece);
                        text.writeBytes(piece);
                    }
                    case GuestEvent.Exited exited -> {
                        command.finish();
                        return new Answer(text.toString(StandardCharsets.UTF_8), exited.signal() > 0 ? 128 + exited.signal() : exited.status());
                    }
                }
            }
        } catch (LinkException e) {
            throw agent.link().over().isPresent() ? new IOException("the agent hung up", e) : e;
        }
    }

    /// A program for everybody.
    public void put(Path program, String path) throws IOException {
        try (var in = Files.newInputStream(program)) {
            agent.files(dev.caisson.sandbox.Files.Rights.ROOT).write(path, "root", 0755, in);
        }
    }

    private static CommandSpec spec(String line, String user) {
        return new CommandSpec(List.of("/bin/sh", "-c", "exec 2>&1\n" + line), Map.of(), "/", user, Optional.empty(), Duration.ofMinutes(5), ByteSize.gib(1), false);
    }

    @Override
    public void send(String line) throws IOException, InterruptedException {
        agent.start(CommandId.of(++commands), spec(line, "root"), limits.openFiles(), limits.processes()).close();
    }

    @Override
    public boolean awaitEnd() throws InterruptedException {
        long until = System.nanoTime() + BOUND.toNanos();
        while (agent.link().over().isEmpty() && System.nanoTime() < until) {
            Thread.sleep(Duration.ofMillis(20));
        }
        return agent.link().over().isPresent();
    }

    @Override
    public void close() {
        agent.close();
    }
}
