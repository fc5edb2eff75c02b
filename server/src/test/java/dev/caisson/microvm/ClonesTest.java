package dev.caisson.microvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.testing.Installation;
import dev.caisson.testing.Servers.Kind;
import dev.caisson.testing.Shell;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// Copies of one frozen machine are different machines before anything of a caller's runs in them.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class ClonesTest {
    @RegisterExtension
    static final Installation CAISSON = new Installation().withMicrovms();

    private static final int CLONES = 4;

    /// Lines of a name and a value that no two machines may share.
    private static final String FACTS =
            """
            fact() { echo "$1 $2"; }
            bytes() { od -An -v -tx1 | tr -d ' \\n'; }
            fact boot-id "$(cat /proc/sys/kernel/random/boot_id)"
            fact uuid "$(cat /proc/sys/kernel/random/uuid)"
            fact urandom "$(head -c 16 /dev/urandom | bytes)"
            fact random "$(head -c 16 /dev/random | bytes)"
            fact machine-id "$(cat /etc/machine-id)"
            fact hostname "$(uname -n)"
            fact bash "$SRANDOM"
            fact layout "$(grep -F '[stack]' /proc/self/maps | cut -d' ' -f1)"
            fact four "$(ip -4 -o address show dev eth0 | awk '{print $4}')"
            fact six "$(ip -6 -o address show dev eth0 scope global | awk '{print $4}')"
            fact link "$(ip -6 -o address show dev eth0 scope link | awk '{print $4}')"
            fact way "$(ip -4 route show default | awk '{print $3}')"
            python3 - <<'PROGRAM'
            import os, random, secrets, ssl, uuid
            print('python', random.random())
            print('getrandom', os.getrandom(16).hex())
            print('secrets', secrets.token_hex(16))
            print('ssl', ssl.RAND_bytes(16).hex())
            print('uuid4', uuid.uuid4())
            PROGRAM
            """;

    @Test
    void noTwoAreTheSameMachine() throws Exception {
        var shells = AtOnce.all(Stream.generate(() -> (Callable<Shell>) () -> CAISSON.shell(Small.spec())).limit(CLONES).toList());
        // The first thing that anybody runs in them.
        var facts = AtOnce.all(shells.stream().map(shell -> (Callable<Map<String, String>>) () -> facts(shell)).toList());
        try (var snapshots = Files.list(CAISSON.home().home().snapshots())) {
            assertThat(snapshots).as("all are copies of one").hasSize(1);
        }
        assertThat(CAISSON.servers().log(Kind.NODE)).containsOnlyOnce(" made in ");
        areDifferent(facts);
        for (int i = 0; i < CLONES; i++) {
            assertThat(facts.get(i)).containsEntry("hostname", shells.get(i).id().value());
            assertThat(facts.get(i).get("machine-id")).matches("[0-9a-f]{32}");
            assertThat(facts.get(i).get("boot-id")).matches("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
            assertThat(facts.get(i).get("four")).matches("100\\.[0-9.]+/30");
            assertThat(facts.get(i).get("six")).matches("fdca:1550:1::[0-9a-f]+/126");
        }
    }

    static void areDifferent(List<Map<String, String>> facts) {
        for (String fact : facts.getFirst().keySet()) {
            // Each plug is a network of its own, so the link's own address may be the same in all.
            if (!fact.equals("link")) {
                assertThat(facts).as(fact).extracting(each -> each.get(fact)).doesNotHaveDuplicates().allSatisfy(value -> assertThat(value).isNotEmpty());
            }
        }
    }

    static Map<String, String> facts(Shell shell) throws InterruptedException {
        var ran = shell.bash(FACTS);
        assertThat(ran.err()).isEmpty();
        var facts = new HashMap<String, String>();
        ran.out().lines().map(line -> line.split(" ", 2)).forEach(words -> facts.put(words[0], words[1]));
        assertThat(facts).hasSize(17);
        return facts;
    }

    /// The machine was frozen at another time.
    @Test
    void theirClockIsTheHosts() throws Exception {
        var shell = CAISSON.shell(Small.spec());
        for (int i = 0; i < 2; i++) {
            clockIsRight(shell);
        }
        assertThat(shell.bash("date +%Z; stat -c %Y /proc/self; touch /tmp/new && find /tmp/new -mmin -1").out()).matches("UTC\n[0-9]+\n/tmp/new\n");
    }

    static void clockIsRight(Shell shell) throws InterruptedException {
        Instant before = Instant.now();
        String[] said = shell.bash("echo $EPOCHREALTIME").out().strip().split("[.,]");
        Instant after = Instant.now();
        var inside = Instant.ofEpochSecond(Long.parseLong(said[0]), Long.parseLong(said[1]) * 1_000);
        var slack = Duration.ofSeconds(1);
        assertThat(inside).isBetween(before.minus(slack), after.plus(slack));
    }
}
