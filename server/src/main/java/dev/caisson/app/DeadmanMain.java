package dev.caisson.app;

import dev.caisson.host.Cgroups;
import dev.caisson.host.Reclaimer;
import dev.caisson.node.Deadman;
import java.time.InstantSource;

/// The deadman process: root, no socket; it parses nothing but its own journal.
///
/// `--home DIR [--tied]`. Prints `ready` when it watches.
public final class DeadmanMain {
    private DeadmanMain() {}

    public static void main(String[] args) {
        ServerProcess.run(args, options -> {
            var home = options.home();
            var lock = HomeLock.take(home.node().resolve("deadman.lock"), "a deadman");
            var cgroups = Cgroups.detect();
            var deadman = Deadman.open(home, cgroups, new Reclaimer(home, cgroups), InstalledDrivers.of(home, cgroups), InstantSource.system());
            var watching = Thread.ofPlatform().name("deadman").start(() -> {
                try {
                    deadman.watch();
                } catch (InterruptedException _) {
                    // The process ends.
                }
            });
            return () -> {
                watching.interrupt();
                deadman.close();
                lock.close();
            };
        });
    }
}
