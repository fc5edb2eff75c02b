package dev.caisson.node;

import dev.caisson.guest.Agent;
import dev.caisson.link.LinkException;
import dev.caisson.runtime.Boot;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.UsageSample;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

/// Looks now and then at what one sandbox uses.
///
/// Threads: safe for many.
final class UsageSampler {
    private final Machine machine;
    private final Boot boot;
    private final JournalEntry entry;
    private final Supplier<Optional<Agent>> agent;
    private final UsageHistory history;
    /// What the guest last said; it is asked aside, so that one that does not answer holds nobody up.
    private volatile ByteSize diskUsed = new ByteSize(0);
    private final AtomicBoolean askingDisk = new AtomicBoolean();

    /// @param agent empty while it cannot be asked
    UsageSampler(Machine machine, Boot boot, JournalEntry entry, Supplier<Optional<Agent>> agent) {
        this.machine = machine;
        this.boot = boot;
        this.entry = entry;
        this.agent = agent;
        this.history = new UsageHistory(entry.spec().limits());
    }

    /// It has been made; what was used before `startedNanos` is not its own.
    void begin(long startedNanos, Duration cpu) {
        history.begin(startedNanos, cpu);
    }

    /// Samples of its use; the first one is taken when there is none. Not when the sandbox is made: its guest has something better to do then.
    List<UsageSample> samples(Instant from, Instant to) throws InterruptedException {
        if (history.isEmpty()) {
            var in = agent.get();
            if (in.isPresent()) {
                diskUsed = diskUsed(in.get());
            }
            sample();
        }
        return history.between(from, to);
    }

    /// Takes one sample, by the host's figures; only the disk's are the guest's.
    private void sample() {
        history.add(machine.clock().instant(), machine.uptime().now(), machine.cgroups().load(boot.cgroup()), diskUsed);
    }

    /// Takes a sample, and has the guest asked for the disk's figure of the next one.
    void sampleInTurn() {
        Optional<Agent> in = agent.get();
        sample();
        if (in.isPresent() && askingDisk.compareAndSet(false, true)) {
            Agent asked = in.get();
            Thread.ofVirtual().name("disk-" + entry.id()).start(() -> {
                try {
                    diskUsed = diskUsed(asked);
                } catch (InterruptedException _) {
                    Thread.currentThread().interrupt();
                } finally {
                    askingDisk.set(false);
                }
            });
        }
    }

    /// What the guest says, at most what it may use; the figure before when it says nothing.
    private ByteSize diskUsed(Agent asked) throws InterruptedException {
        try {
            return new ByteSize(Math.clamp(asked.metrics().getDiskUsedBytes(), 0, entry.spec().limits().disk().bytes()));
        } catch (LinkException | SandboxException e) {
            return diskUsed;
        }
    }
}
