package dev.caisson.node;

import dev.caisson.guest.Agent;
import dev.caisson.guest.Errand;
import dev.caisson.link.LinkException;
import dev.caisson.runtime.Boot;
import dev.caisson.runtime.Driver;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// A machine made ahead: the copy of a frozen one, awake, that is nobody's yet. It leads nowhere, and nothing of a caller's has ever run in it.
///
/// Its id, slot, plug, directory, cgroup and agent are those of the sandbox that it becomes. Until then the journal has it in a list of its own, so that the sweep and the deadman end
/// it if this node does not.
///
/// @param resources what it holds, in the order of acquisition
/// @param door its agent is in
/// @param deadlineNanos when whoever finds it unused ends it, in [Uptime]
record Standby(Boot boot, List<Resource> resources, AgentDoor door, long deadlineNanos) {
    private static final Duration HELLO_PATIENCE = Duration.ofSeconds(60);
    private static final Duration HELLO_LOOK = Duration.ofMillis(100);
    private static final Duration REHEARSAL_PATIENCE = Duration.ofSeconds(10);
    private static final Errand ANY_PROGRAM = new Errand("/bin/echo", "", REHEARSAL_PATIENCE);
    private static final Errand PYTHON = new Errand("command -v python3 && python3 -c pass", "", REHEARSAL_PATIENCE);

    /// How far it has come. What most sandboxes do first is done once: an emulator has translated it then, and memory that the copy shares with the frozen one has been fetched.
    enum Stage {
        /// Its agent has said hello.
        AWAKE,
        /// It was adopted as it will be by its owner, and has run a program.
        ADOPTED,
        /// It has run Python, if it has any.
        REHEARSED;

        /// Not of the first.
        Stage before() {
            return values()[ordinal() - 1];
        }
    }

    /// What it takes to make one; two with the same kind are as good as each other.
    ///
    /// @param spec of nobody in particular
    /// @param snapshot see [Driver#snapshot]
    record Plan(SandboxSpec spec, Boot.Content content, String snapshot) {}

    /// Makes one.
    ///
    /// Errors: an [IOException] or a [SandboxException] that says what failed; nothing of it is left then, nor after an interruption.
    ///
    /// @param life how long it may stand by
    static Standby make(Machine machine, Slots slots, Plan plan, Duration life) throws IOException, InterruptedException {
        var driver = machine.drivers().of(plan.spec());
        int slot = slots.take();
        Path plug;
        try {
            plug = machine.plugs().take();
        } catch (InterruptedException | SandboxException e) {
            slots.free(slot);
            throw e;
        }
        var boot = machine.boot(SandboxId.random(machine.random()), plan.spec(), plan.content(), slot, plug);
        var resources = driver.resources(boot);
        long deadline = machine.uptime().in(life);
        AgentDoor door = null;
        boolean made = false;
        try {
            machine.journal().standsBy(boot.id(), resources, deadline, machine.uptime().bootId());
            Machine.makeDirectory(boot);
            door = AgentDoor.open(boot.agentSocket(), boot.id().value());
            driver.boot(boot);
            awaitAgent(machine, boot, door);
            made = true;
            return new Standby(boot, resources, door, deadline);
        } finally {
            if (!made) {
                // A channel that an interruption has closed leaves it standing, and what follows is not to be stopped by it.
                boolean interrupted = Thread.interrupted();
                if (door != null) {
                    door.close();
                }
                release(machine.teardown(), machine.journal(), boot.id(), resources);
                slots.free(slot);
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }
    }

    private static void awaitAgent(Machine machine, Boot boot, AgentDoor door) throws IOException, InterruptedException {
        long deadline = machine.uptime().in(HELLO_PATIENCE);
        while (machine.uptime().until(deadline).isPositive()) {
            if (door.await(HELLO_LOOK).isPresent()) {
                return;
            }
            if (machine.cgroups().processes(boot.cgroup()).isEmpty()) {
                throw new IOException("it ended before its agent said hello");
            }
        }
        throw new IOException("its agent did not say hello");
    }

    /// Takes it to the next stage. The randomness of an adoption now, and all else that an owner gets, it is given anew when it has one.
    ///
    /// Errors: an [IOException] or a [SandboxException] that says what failed; it is of no use any more then.
    void advance(Machine machine, Stage to) throws IOException, InterruptedException {
        Agent agent = door.agent().orElseThrow(() -> new IOException("its agent has gone"));
        try {
            if (to == Stage.ADOPTED) {
                new Adoption(machine, boot).of(agent, Map.of(), Optional.empty());
            }
            var errand = to == Stage.ADOPTED ? ANY_PROGRAM : PYTHON;
            errand.run(agent, CommandId.of(agent.held().stream().mapToLong(held -> held.id().number()).max().orElse(0) + 1));
        } catch (LinkException e) {
            throw new IOException("the guest hung up while it became " + to.name().toLowerCase(Locale.ROOT) + ": " + e.getMessage(), e);
        }
    }

    /// Where the network namespace of one with these resources is bound.
    static Stream<Path> networks(List<Resource> resources) {
        return resources.stream().filter(resource -> resource.kind() == ResourceKind.NETWORK_NAMESPACE).map(resource -> Path.of(resource.name()));
    }

    /// False when it has died.
    boolean isAlive(Machine machine) {
        return door.agent().isPresent() && !machine.cgroups().processes(boot.cgroup()).isEmpty() && machine.cgroups().oomKills(boot.cgroup()) == 0;
    }

    /// Ends it.
    void discard(Machine machine, Slots slots) throws InterruptedException {
        door.close();
        release(machine.teardown(), machine.journal(), boot.id(), resources);
        slots.free(boot.slot());
    }

    /// Releases what one holds and crosses it off; what stays is tried again by the next sweep. For whoever finds one of a node that is gone, too.
    static void release(Teardown teardown, Journal journal, SandboxId id, List<Resource> resources) throws InterruptedException {
        var left = teardown.release(resources).stream().filter(check -> !check.gone()).toList();
        left.forEach(check -> log(id, check.resource() + " is still there: " + check.detail()));
        if (left.isEmpty()) {
            try {
                journal.standsByNoMore(id);
            } catch (SandboxException e) {
                // The store is gone or full. Everything is released; the row stays, and the next sweep crosses it off.
                log(id, "is not crossed off: " + e.getMessage());
            }
        }
    }

    private static void log(SandboxId id, String message) {
        System.getLogger(Standby.class.getName()).log(System.Logger.Level.WARNING, "machine=" + id + " stood by, " + message);
    }
}
