package dev.caisson.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/// What `caisson up` tells the front.
class UpCommandTest {
    private static Launch.Listening listening(String... arguments) {
        var up = new UpCommand();
        new CommandLine(up).parseArgs(arguments);
        return up.listening();
    }

    @Test
    void aWishForInternetIsRefusedUnlessTheOperatorSaysOtherwise() {
        assertThat(listening().options()).containsSequence("--e2b-internet", "refuse");
        assertThat(listening("--e2b-internet", "ignore").options()).containsSequence("--e2b-internet", "ignore");
        assertThatThrownBy(() -> listening("--e2b-internet", "allow")).isInstanceOf(CliException.class).hasMessageContaining("allow");
    }

    @Test
    void portsArePrivateUnlessTheOperatorSaysOtherwise() {
        assertThat(listening().options()).containsSequence("--e2b-ports", "private");
        assertThat(listening("--e2b-ports", "public").options()).containsSequence("--e2b-ports", "public");
        assertThatThrownBy(() -> listening("--e2b-ports", "open")).isInstanceOf(CliException.class).hasMessage("--e2b-ports cannot be 'open'");
    }

    @Test
    void aDomainBringsTlsBesideThePlainAddress() {
        assertThat(listening("--listen", "10.0.0.1:80", "--domain", "box.test").options()).containsSequence("--domain", "box.test", "--tls-listen", "10.0.0.1:7443");
        assertThat(listening().options()).doesNotContain("--domain", "--tls-listen");
    }
}
