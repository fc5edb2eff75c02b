package dev.caisson.testing;

import dev.caisson.remote.RemoteSandboxes;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Assumptions;

/// Runs commands in a sandbox and keeps what they wrote.
public record Shell(Sandboxes sandboxes, SandboxId id) {
    /// @param out standard output as text
    public record Ran(CommandResult result, String out, String err) {
        public int status() {
            return result.status();
        }
    }

    /// A sandbox's spec in a tier, with the trust that tier needs; a microVM is an emulated one, which every machine can run.
    public static SandboxSpec spec(Tier tier) {
        var trust = tier == Tier.CONTAINER ? Trust.TRUSTED : Trust.UNTRUSTED;
        var spec = new SandboxSpec(TemplateName.BASE, trust, tier, dev.caisson.sandbox.Limits.DEFAULT, Duration.ofMinutes(5), Map.of(), Map.of());
        return tier == Tier.MICROVM ? spec.withDriver(DriverName.QEMU_TCG) : spec;
    }

    /// A new sandbox run by the driver that its spec names; one that this machine cannot run skips the test with the reason.
    public static Shell orSkip(RemoteSandboxes sandboxes, SandboxSpec spec) {
        try {
            return new Shell(sandboxes, sandboxes.create(spec).id());
        } catch (SandboxException e) {
            Assumptions.assumeFalse(e.code() == Failure.Code.TIER_UNAVAILABLE, e::getMessage);
            throw e;
        }
    }

    public Ran run(String... argv) throws InterruptedException {
        return run(Duration.ofMinutes(1), "", argv);
    }

    public Ran asRoot(String... argv) throws InterruptedException {
        return run(Duration.ofMinutes(1), "root", argv);
    }

    /// A script of bash.
    public Ran bash(String script) throws InterruptedException {
        return run("bash", "-c", script);
    }

    public Ran python(String script) throws InterruptedException {
        return run("python3", "-c", script);
    }

    public Ran run(Duration timeout, String user, String... argv) throws InterruptedException {
        var spec = new CommandSpec(List.of(argv), Map.of(), "", user, Optional.empty(), timeout, ByteSize.gib(1), false);
        try (var stream = sandboxes.run(id, spec)) {
            return collect(stream);
        }
    }

    public static Ran collect(CommandStream stream) throws InterruptedException {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        while (true) {
            switch (stream.next()) {
                case CommandEvent.Started _ -> {}
                case CommandEvent.Output output -> {
                    byte[] bytes = new byte[output.data().remaining()];
                    output.data().get(bytes);
                    (output.channel() == CommandEvent.Channel.STDOUT ? out : err).writeBytes(bytes);
                }
                case CommandEvent.Ended(CommandResult result) -> {
                    return new Ran(result, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
                }
            }
        }
    }
}
