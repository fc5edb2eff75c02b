package dev.caisson.compatibility;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What agents' code finds in the template `base`.
@Tag("machine")
@Timeout(value = 3, unit = TimeUnit.MINUTES)
class GuestEnvironmentTest {
    @RegisterExtension
    static final Installation INSTALLATION = new Installation();

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void hasItsProgramsPlacesAndALoginShell(Tier tier) throws Exception {
        var shell = INSTALLATION.shell(tier);
        for (var program : new String[] {"python", "python3", "pip", "node", "npm", "yarn", "git", "gh", "curl", "gcc", "make", "realpath", "jq", "sudo"}) {
            assertThat(shell.bash("command -v " + program).status()).as(program).isZero();
        }
        assertThat(shell.bash("touch /code/a /usr/local/bin/b ~/c && stat -c '%a %U' /code /usr/local /home/user").out()).isEqualTo("777 root\n777 root\n755 user\n");
        assertThat(shell.bash("id -un; id -u; getent hosts events.e2b.local").out()).startsWith("user\n1000\n").contains("127.0.0.1");
        assertThat(shell.bash("echo 'export FROM_PROFILE=1' >> ~/.profile").status()).isZero();
        assertThat(shell.run("/bin/bash", "-l", "-c", "echo $SHELL \"$PS1\" $FROM_PROFILE; python --version").out()).startsWith("/bin/bash \\w \\$  1\nPython 3.");
        assertThat(shell.run("/bin/sh", "-l", "-c", "echo $SHELL").out()).isEqualTo("/bin/bash\n");
    }
}
