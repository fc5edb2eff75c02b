package dev.caisson.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.SandboxException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class HomeTest {
    @Test
    void twoHomesDoNotMeet() {
        var one = new Home(Path.of("/var/lib/caisson"));
        var other = new Home(Path.of("/var/lib/caisson2"));
        assertThat(one.cgroupParent()).matches("caisson-[0-9a-f]{8}").isNotEqualTo(other.cgroupParent()).isEqualTo(new Home(Path.of("/var/lib/caisson")).cgroupParent());
    }

    @Test
    void theDeepestSocketFits() {
        var home = new Home(Path.of("/" + "a".repeat(Home.MAX_PATH_BYTES - 1)));
        assertThat(home.sandbox("sb" + "x".repeat(18)).resolve("r/runsc-s.sock").toString().length()).isLessThanOrEqualTo(107);
    }

    @Test
    void refusesPathsThatCannotWork() {
        assertThatThrownBy(() -> new Home(Path.of("/" + "a".repeat(Home.MAX_PATH_BYTES)))).isInstanceOf(SandboxException.class).hasMessageContaining("65 bytes");
        assertThatThrownBy(() -> new Home(Path.of("relative"))).isInstanceOf(SandboxException.class);
        assertThatThrownBy(() -> new Home(Path.of("/"))).isInstanceOf(SandboxException.class);
        assertThatThrownBy(() -> new Home(Path.of("/a/../b"))).isInstanceOf(SandboxException.class);
        assertThatThrownBy(() -> new Home(Path.of("/a,size=1"))).isInstanceOf(SandboxException.class);
    }
}
