package dev.caisson.node;

import dev.caisson.host.Reclaimer;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import dev.caisson.sandbox.SandboxState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/// What a node does before anything else: ends every sandbox that cannot be taken up again, and every machine that stands by, and removes what no journal entry explains.
final class Sweep {
    private final Machine machine;
    private final Reclaimer reclaimer;

    Sweep(Machine machine, Reclaimer reclaimer) {
        this.machine = machine;
        this.reclaimer = reclaimer;
    }

    /// Returns those that live and were acknowledged to their owners.
    List<JournalEntry> sweep() throws InterruptedException {
        var alive = new ArrayList<JournalEntry>();
        var known = new HashSet<String>();
        for (JournalEntry entry : machine.journal().entries()) {
            if (canLive(entry)) {
                alive.add(entry);
                known.add(entry.id().value());
            } else {
                Receipt made = machine.teardown().end(entry, reason(entry), "sweep");
                machine.journal().over(made);
            }
        }
        for (var standby : machine.journal().standbys().entrySet()) {
            Standby.release(machine.teardown(), machine.journal(), standby.getKey(), standby.getValue());
        }
        for (String stray : strays(known)) {
            removeStray(stray);
        }
        machine.journal().prune();
        return alive;
    }

    private boolean canLive(JournalEntry entry) {
        boolean leaseLasts = machine.uptime().until(entry.deadlineNanos()).isPositive();
        return (entry.state() == SandboxState.RUNNING || entry.state() == SandboxState.PAUSED)
                && entry.bootId().equals(machine.uptime().bootId())
                // Its keeper pauses it at once.
                && (leaseLasts || entry.isPausedAtLeaseEnd())
                && !machine.cgroups().processes(machine.home().cgroup(entry.id().value())).isEmpty();
    }

    private EndReason reason(JournalEntry entry) {
        return entry.endReason().orElseGet(() -> {
            if (entry.state() == SandboxState.CREATING) {
                return EndReason.CREATE_FAILED;
            }
            boolean leaseOver = entry.bootId().equals(machine.uptime().bootId()) && !machine.uptime().until(entry.deadlineNanos()).isPositive();
            return leaseOver ? EndReason.LEASE_OVER : EndReason.LOST;
        });
    }

    /// Names of cgroups and directories of this installation that belong to no living sandbox: a lost store, or a hand that meddled.
    private Set<String> strays(Set<String> known) {
        var names = new TreeSet<String>();
        machine.cgroups().children(machine.home().cgroupParent()).forEach(cgroup -> names.add(cgroup.substring(cgroup.lastIndexOf('/') + 1)));
        try (var directories = Files.list(machine.home().sandboxes())) {
            directories.map(Path::getFileName).map(Path::toString).forEach(names::add);
        } catch (IOException _) {
            // There has been no sandbox yet.
        }
        names.removeAll(known);
        return names;
    }

    private void removeStray(String name) throws InterruptedException {
        String cgroup = machine.home().cgroup(name);
        String directory = machine.home().sandbox(name).toString();
        for (var resource : List.of(new Resource(ResourceKind.PROCESSES, cgroup), new Resource(ResourceKind.RUNTIME_STATE, directory), new Resource(ResourceKind.CGROUP, cgroup))) {
            Receipt.Check check = reclaimer.release(resource);
            if (!check.gone()) {
                System.getLogger(Sweep.class.getName()).log(System.Logger.Level.WARNING, "stray " + resource + " is still there: " + check.detail());
            }
        }
    }
}
