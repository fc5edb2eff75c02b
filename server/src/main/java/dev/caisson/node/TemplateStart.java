package dev.caisson.node;

import dev.caisson.guest.Agent;
import dev.caisson.image.StartCommand;
import dev.caisson.link.LinkException;
import dev.caisson.runtime.Boot;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.TemplateName;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/// A template's own command in a new sandbox, which is not ready before that command is.
///
/// @param isOver the sandbox's end has been decided, or its wall has fallen
record TemplateStart(Machine machine, Boot boot, JournalEntry entry, KeptCommands commands, BooleanSupplier isOver) {
    private static final String TAG = "start";
    /// Between two looks whether it is ready.
    private static final Duration READY_POLL = Duration.ofMillis(20);

    /// Starts the command and waits until something listens on its port.
    ///
    /// Errors: [Failure.Code#GUEST_FAILED] that says what kept it.
    void begin(Agent agent, StartCommand start) throws IOException, InterruptedException {
        // Its output goes nowhere; it ends with the sandbox.
        var spec = new CommandSpec(
                List.of("/bin/sh", "-c", start.command()), Map.of(), "/", start.user(), Optional.empty(), CommandSpec.MAX_TIMEOUT, CommandSpec.DEFAULT_OUTPUT_LIMIT, false, TAG, CommandSpec.Unread.DROP, false);
        // A lease that is over first ends the wait as well.
        long deadline = Math.min(machine.uptime().in(start.patience()), entry.deadlineNanos());
        try (var running = commands.start(agent, spec)) {
            while (!agent.listens(start.port())) {
                refuseToWait(agent, running.id(), start, deadline);
                TimeUnit.NANOSECONDS.sleep(READY_POLL.toNanos());
            }
        }
    }

    private void refuseToWait(Agent agent, CommandId id, StartCommand start, long deadline) throws InterruptedException, LinkException {
        var template = entry.spec().template();
        var ended = agent.commands().stream().filter(held -> held.id().equals(id)).flatMap(held -> held.exit().stream()).findFirst();
        if (ended.isPresent()) {
            throw Failure.Code.GUEST_FAILED.with(
                    "the start command of template " + template + " ended with status " + ended.get().status() + " before the sandbox was ready", "ask for more memory, or build the template again: caisson template build --again " + template);
        }
        if (isOver.getAsBoolean()) {
            throw neverReady(template, start, "the sandbox ended");
        }
        if (!machine.uptime().until(deadline).isPositive()) {
            throw neverReady(template, start, "nothing listened on port " + start.port() + " within " + start.patience().toSeconds() + " s, or before its lease was over");
        }
    }

    private SandboxException neverReady(TemplateName template, StartCommand start, String what) {
        var starved = machine.cgroups().oomKills(boot.cgroup()) > 0 ? ", out of memory" : "";
        return Failure.Code.GUEST_FAILED.with("a sandbox of template " + template + " did not become ready: " + what + starved, "ask for more memory or CPU; its start command is: " + start.command());
    }
}
