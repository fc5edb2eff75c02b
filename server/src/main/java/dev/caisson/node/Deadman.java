package dev.caisson.node;

import dev.caisson.host.Cgroups;
import dev.caisson.host.Home;
import dev.caisson.host.Reclaimer;
import dev.caisson.runtime.Drivers;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;

/// The second guarantee: a process of its own that ends every sandbox whose lease has been over for a while, because then no keeper has done it.
///
/// It asks nobody whether the node lives: what the journal says is past its deadline is torn down, and a node that wakes up later finds it done.
/// Releasing comes first and the receipt second, so that a store locked by a node that hangs cannot keep a sandbox alive.
public final class Deadman implements AutoCloseable {
    /// What a keeper may take to do it itself.
    public static final Duration GRACE = Duration.ofSeconds(5);
    /// Between two looks.
    public static final Duration PERIOD = Duration.ofSeconds(1);

    private final Store store;
    private final Journal journal;
    private final Teardown teardown;
    private final Drivers drivers;
    private final Home home;
    private final Uptime uptime;

    private Deadman(Store store, Journal journal, Teardown teardown, Drivers drivers, Home home, Uptime uptime) {
        this.drivers = drivers;
        this.home = home;
        this.store = store;
        this.journal = journal;
        this.teardown = teardown;
        this.uptime = uptime;
    }

    public static Deadman open(Home home, Cgroups cgroups, Reclaimer reclaimer, Drivers drivers, InstantSource clock) throws IOException {
        var store = Store.open(home.node().resolve("node.db"));
        return new Deadman(store, new Journal(store), new Teardown(reclaimer, cgroups, home, clock), drivers, home, Uptime.ofThisBoot());
    }

    /// Looks once every [#PERIOD] until interrupted.
    public void watch() throws InterruptedException {
        while (true) {
            try {
                look();
            } catch (SandboxException e) {
                log("cannot read the journal: " + e.getMessage());
            }
            Thread.sleep(PERIOD);
        }
    }

    /// Ends what is overdue now.
    void look() throws InterruptedException {
        for (var standby : journal.overdueStandbys(uptime.bootId(), uptime.now() - GRACE.toNanos()).entrySet()) {
            Standby.release(teardown, journal, standby.getKey(), standby.getValue());
            log("machine=" + standby.getKey() + " ended, nobody has come for it");
        }
        for (JournalEntry entry : journal.overdue(uptime.bootId(), uptime.now() - GRACE.toNanos())) {
            if (entry.isPausedAtLeaseEnd() && entry.bootId().equals(uptime.bootId()) && pause(entry)) {
                continue;
            }
            var reason = entry.endReason().orElse(entry.bootId().equals(uptime.bootId()) ? EndReason.LEASE_OVER : EndReason.LOST);
            Receipt receipt = teardown.end(entry, reason, "deadman");
            String ended = "sandbox=" + entry.id() + " ended, overdue by " + Duration.ofNanos(uptime.now() - entry.deadlineNanos()).toSeconds() + " s, leaks=" + receipt.leaks();
            try {
                journal.over(receipt);
                log(ended);
            } catch (SandboxException e) {
                log(ended + ", receipt not written yet: " + e.getMessage());
            }
        }
    }

    /// What its owner wants at the end of the lease; one that cannot be frozen is deleted.
    private boolean pause(JournalEntry entry) throws InterruptedException {
        try {
            long now = uptime.now();
            drivers.of(entry.spec()).pause(entry.boot(home));
            journal.paused(entry.id(), now, now + NodeParts.MAX_PAUSED.toNanos());
            log("sandbox=" + entry.id() + " paused, its lease is over");
            return true;
        } catch (IOException | SandboxException e) {
            log("sandbox=" + entry.id() + " cannot be paused: " + e.getMessage());
            return false;
        }
    }

    @Override
    public void close() {
        store.close();
    }

    private static void log(String message) {
        System.getLogger(Deadman.class.getName()).log(System.Logger.Level.WARNING, message);
    }
}
