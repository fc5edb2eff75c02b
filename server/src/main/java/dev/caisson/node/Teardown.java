package dev.caisson.node;

import dev.caisson.host.Cgroups;
import dev.caisson.host.GatewayNetwork;
import dev.caisson.host.Home;
import dev.caisson.host.Reclaimer;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import dev.caisson.sandbox.Usage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Releases everything a journal entry names, in reverse, checks that it is gone, and makes the receipt.
///
/// It needs nothing but the entry, so that the keeper, the sweep and the deadman all end a sandbox in the same way, and may even do so at once:
/// every release is harmless the second time.
/// Threads: safe for many.
final class Teardown {
    private final Reclaimer reclaimer;
    private final Cgroups cgroups;
    private final Home home;
    private final InstantSource clock;

    Teardown(Reclaimer reclaimer, Cgroups cgroups, Home home, InstantSource clock) {
        this.reclaimer = reclaimer;
        this.cgroups = cgroups;
        this.home = home;
        this.clock = clock;
    }

    /// @param by which guarantee does it: `keeper`, `sweep` or `deadman`
    Receipt end(JournalEntry entry, EndReason reason, String by) throws InterruptedException {
        String cgroup = home.cgroup(entry.id().value());
        // Before anything is released: the counters go with the cgroup and the namespace.
        Usage usage = cgroups.usage(cgroup);
        Map<String, Long> denied = denied(entry, cgroup);
        var checks = release(entry.resources());
        return new Receipt(
                entry.id(), entry.spec().template(), entry.spec().tier(), entry.spec().driver(), entry.spec().trust(), entry.imageDigest(), entry.created(), clock.instant(), reason, usage, denied, checks, by, entry.spec().tenant());
    }

    /// Releases resources that were acquired in this order.
    List<Receipt.Check> release(List<Resource> resources) throws InterruptedException {
        var checks = new ArrayList<Receipt.Check>();
        for (Resource resource : resources.reversed()) {
            checks.add(reclaimer.release(resource));
        }
        return checks;
    }

    /// What limits and walls have refused so far, as the host counted it; kinds that were not refused are left out.
    Map<String, Long> denied(JournalEntry entry, String cgroup) throws InterruptedException {
        var denied = new HashMap<String, Long>();
        denied.put("memory", cgroups.oomKills(cgroup));
        denied.put("processes", cgroups.refusedForks(cgroup));
        denied.put("network", refusedPackets(entry.resources()));
        denied.values().removeIf(count -> count == 0);
        return denied;
    }

    private long refusedPackets(List<Resource> resources) throws InterruptedException {
        for (Resource resource : resources) {
            if (resource.kind() == ResourceKind.NETWORK_NAMESPACE) {
                try {
                    return GatewayNetwork.refusedPackets(home, Path.of(resource.name()));
                } catch (IOException _) {
                    // It was never made, or is gone already: nothing was counted.
                    return 0;
                }
            }
        }
        return 0;
    }
}
