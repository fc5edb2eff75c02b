package dev.caisson.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/// What `caisson up` tells its processes.
class UpCommandTest {
    @TempDir
    Path directory = Path.of("");

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
    void tenantsGetAKernelEachAndNoneIsEmulatedUnlessTheOperatorSaysOtherwise() {
        assertThat(listening().options()).containsSequence("--tenant-floor", "microvm").doesNotContain("--accept-emulated");
        assertThat(listening("--tenant-floor", "gvisor", "--accept-emulated").options()).containsSequence("--tenant-floor", "gvisor", "--accept-emulated", "yes");
        assertThatThrownBy(() -> listening("--tenant-floor", "container")).isInstanceOf(CliException.class).hasMessage("--tenant-floor cannot be 'container'");
        assertThat(OneShot.listening(false, 0).options()).doesNotContain("--accept-emulated", "--tenant-floor");
        assertThat(OneShot.listening(true, 0).options()).containsSequence("--accept-emulated", "yes");
    }

    @Test
    void twoMachinesOfAKindStandByUnlessTheOperatorSaysOtherwise() {
        assertThat(listening().node()).containsExactly("--standby", "2");
        assertThat(listening("--standby", "0").node()).containsExactly("--standby", "0");
        assertThatThrownBy(() -> listening("--standby", "17")).isInstanceOf(CliException.class).hasMessage("--standby is 0 to 16, got 17");
        assertThat(OneShot.listening(false, 0).node()).as("for one sandbox none is made ahead").containsExactly("--standby", "0");
    }

    @Test
    void aDomainBringsTlsBesideThePlainAddress() {
        assertThat(listening("--listen", "10.0.0.1:80", "--domain", "box.test").options()).containsSequence("--domain", "box.test", "--tls-listen", "10.0.0.1:7443");
        assertThat(listening().options()).doesNotContain("--domain", "--tls-listen");
    }

    @Test
    void theWayOutIsClosedToTheWholeInternetUnlessTheOperatorConsents() throws IOException {
        assertThat(listening().options()).doesNotContain("--egress-open", "--egress-policy");
        assertThat(listening().gateway()).isEmpty();
        var policy = Files.writeString(directory.resolve("egress.yaml"), "");
        var listening = listening("--egress-open", "--egress-policy", policy.toString(), "--egress-ca", policy.toString());
        assertThat(listening.options()).containsSequence("--egress-open", "yes", "--egress-policy", policy.toAbsolutePath().toString());
        assertThat(listening.gateway()).containsExactly("--extra-ca", policy.toAbsolutePath().toString());
        assertThat(listening.concrete().gateway()).isEqualTo(listening.gateway());
        assertThatThrownBy(() -> listening("--egress-policy", directory.resolve("nowhere").toString())).isInstanceOf(CliException.class).hasMessageContaining("there is no file");
    }

    @Test
    void resolversAreAddressesWithOrWithoutAPort() {
        assertThat(listening("--egress-resolver", "192.0.2.53", "--egress-resolver", "192.0.2.54:5353", "--egress-resolver", "2001:db8::53", "--egress-resolver", "[2001:db8::54]:5353").gateway())
                .containsExactly("--resolver", "192.0.2.53:53,192.0.2.54:5353,[2001:db8::53]:53,[2001:db8::54]:5353");
        for (String wrong : List.of("dns.example", "192.0.2", "192.0.2.53:0", "192.0.2.53:65536", "192.0.2.256", "[2001:db8::53", "2001:db8::53:x", "", "1.2.3.4,5.6.7.8", "[::1%lo]:53")) {
            assertThatThrownBy(() -> listening("--egress-resolver", wrong)).as(wrong).isInstanceOf(CliException.class).hasMessageContaining("is not the address of a DNS server");
        }
    }
}
