package dev.caisson.teardown;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Servers;
import dev.caisson.testing.Servers.Kind;
import dev.caisson.testing.Shell;
import dev.caisson.testing.TestHome;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// `kill -9` at random points of create, run and delete: after the restart nothing is left that was not acknowledged as living, and nothing that was
/// acknowledged as living is lost.
@Tag("machine")
@Timeout(value = 30, unit = TimeUnit.MINUTES)
class KillTest {
    private static final int ROUNDS_PER_TIER = 60;

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void nothingIsLeftAndNothingLivingIsLost(Tier tier) throws Exception {
        var random = new Random(4711 + tier.ordinal());
        try (var home = TestHome.make(); var servers = new Servers(home)) {
            // Which sandboxes its owner was told of, and the counting command that runs in each.
            Map<SandboxId, CommandId> living = new ConcurrentHashMap<>();
            Set<SandboxId> asked = ConcurrentHashMap.newKeySet();
            servers.start(Kind.DEADMAN);
            servers.start(Kind.NODE);
            for (int round = 0; round < ROUNDS_PER_TIER; round++) {
                var worker = work(servers, tier, living, asked, random.nextLong());
                Thread.sleep(random.nextInt(700));
                switch (round % 3) {
                    case 0 -> servers.kill(Kind.NODE);
                    case 1 -> servers.kill(Kind.DEADMAN);
                    default -> {
                        servers.kill(Kind.DEADMAN);
                        servers.kill(Kind.NODE);
                    }
                }
                if (round % 3 == 1) {
                    worker.join();
                }
                worker.interrupt();
                worker.join();
                for (Kind kind : new Kind[] {Kind.NODE, Kind.DEADMAN}) {
                    if (!servers.isRunning(kind)) {
                        servers.start(kind);
                    }
                }
                check(home, servers, living, asked, "round " + round);
            }
            try (var node = servers.node()) {
                node.deleteAll();
                assertThat(home.leftovers().after(Duration.ofSeconds(5))).isEmpty();
                assertThat(node.status().leaked()).isZero();
            }
        }
    }

    /// One owner at work: makes a sandbox, starts a command that goes on, deletes an older one.
    private static Thread work(Servers servers, Tier tier, Map<SandboxId, CommandId> living, Set<SandboxId> asked, long seed) {
        return Thread.ofPlatform().start(() -> {
            var random = new Random(seed);
            try (var node = servers.node()) {
                for (int i = 0; i < 3; i++) {
                    if (living.size() > 3 || living.size() > 1 && random.nextBoolean()) {
                        var oldest = living.keySet().iterator().next();
                        // From the moment it is asked, either outcome is right.
                        asked.add(oldest);
                        living.remove(oldest);
                        node.delete(oldest);
                        asked.remove(oldest);
                    }
                    SandboxId id = node.create(Shell.spec(tier)).id();
                    try (var command = node.run(id, CommandSpec.of("bash", "-c", "i=0; while sleep 0.05; do echo $((i++)); done"))) {
                        living.put(id, ((CommandEvent.Started) command.next()).id());
                    }
                }
            } catch (SandboxException | InterruptedException _) {
                // The node was killed under us: what was acknowledged so far counts.
            }
        });
    }

    private static void check(TestHome home, Servers servers, Map<SandboxId, CommandId> living, Set<SandboxId> asked, String when) throws Exception {
        try (var node = servers.node()) {
            var there = new TreeSet<String>();
            node.list().forEach(info -> there.add(info.id().value()));
            for (var entry : new HashMap<>(living).entrySet()) {
                assertThat(there).as("%s: living sandboxes", when).contains(entry.getKey().value());
                stillRuns(node, entry.getKey(), entry.getValue(), when);
            }
            // Created but not told to its owner, or asked to be deleted: either way it is known to the node, or gone without a trace.
            for (String id : there) {
                if (!living.containsKey(new SandboxId(id))) {
                    node.delete(new SandboxId(id));
                }
            }
            asked.clear();
            var foreign = new TreeSet<String>();
            home.leftovers().now(living.size()).stream().filter(left -> living.keySet().stream().noneMatch(id -> left.contains(id.value()))).forEach(foreign::add);
            assertThat(foreign).as("%s: what belongs to no living sandbox", when).isEmpty();
        }
    }

    /// Its command goes on counting, and its output can be taken up where it is.
    private static void stillRuns(Sandboxes node, SandboxId id, CommandId command, String when) throws InterruptedException {
        try (var stream = node.attach(id, command, 0, 0)) {
            assertThat(stream.next()).as("%s: %s %s", when, id, command).isInstanceOf(CommandEvent.Started.class);
            assertThat(stream.next()).as("%s: %s %s", when, id, command).isInstanceOf(CommandEvent.Output.class);
        }
        assertThat(new Shell(node, id).run("echo", "alive").out()).as("%s: %s", when, id).isEqualTo("alive\n");
    }
}
