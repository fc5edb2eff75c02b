package dev.caisson.isolation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Sink;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Nothing leaves a sandbox: judged at the other end, by a sink that owns every address that is tried.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class NetworkTest {
    private static final Sink SINK = open();

    @RegisterExtension
    static final Installation CAISSON = new Installation(SINK::prefix);

    private static Sink open() {
        try {
            return Sink.open();
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @AfterAll
    static void close() throws IOException {
        SINK.close();
    }

    private static final String TRY_ALL =
            """
            import socket, sys, time
            for address in sys.argv[1:]:
                family = socket.AF_INET6 if ':' in address else socket.AF_INET
                began = time.monotonic()
                s = socket.socket(family, socket.SOCK_STREAM)
                s.settimeout(20)
                try:
                    s.connect((address, 80))
                    print(address, 'CONNECTED')
                except OSError as e:
                    print(address, 'refused', e.errno, 'at-once' if time.monotonic() - began < 1 else 'LATE')
                u = socket.socket(family, socket.SOCK_DGRAM)
                try:
                    u.sendto(b'leak', (address, 53))
                except OSError:
                    pass
            """;

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void nothingOutsideCanBeReached(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        int before = SINK.visitors().size();
        for (String user : List.of("user", "root")) {
            var command = new java.util.ArrayList<>(List.of("python3", "-c", TRY_ALL));
            command.addAll(Sink.ADDRESSES);
            var ran = shell.run(java.time.Duration.ofMinutes(1), user, command.toArray(String[]::new));
            assertThat(ran.out().lines()).hasSize(Sink.ADDRESSES.size()).allMatch(line -> line.endsWith("at-once"), "refused at once");
        }
        assertThat(SINK.visitors()).hasSize(before);
        // The positive twins: the sink hears, and the sandbox has a network of its own.
        SINK.visit("169.254.169.254");
        SINK.visit("2001:db8::7");
        assertThat(SINK.visitors()).hasSize(before + 2);
        var own = shell.python("import socket; s=socket.create_server(('127.0.0.1',0)); c=socket.create_connection(s.getsockname()); print('own loopback')");
        assertThat(own.out()).isEqualTo("own loopback\n");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void hasOneNeighbourTheGateway(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        assertThat(shell.python("import socket; print(sorted(n for _, n in socket.if_nameindex()))").out()).isEqualTo("['eth0', 'lo']\n");
        // Two addresses in its network, its own and the gateway's: there is nobody else to speak to.
        assertThat(shell.bash("ip -4 -o address show dev eth0").out()).containsPattern("inet 100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\.[0-9.]+/30 ");
        assertThat(shell.bash("ip -6 -o address show dev eth0 scope global").out()).containsPattern("inet6 fdca:1550:1::[0-9a-f]+/126 ");
    }
}
