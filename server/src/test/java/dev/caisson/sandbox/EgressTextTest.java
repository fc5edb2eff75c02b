package dev.caisson.sandbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class EgressTextTest {
    @Test
    void aHostAloneIsTheWeb() {
        assertThat(EgressRule.allow("Api.Example.com.")).isEqualTo(EgressRule.allow(new EgressTarget.Host(new HostPattern("api.example.com", false))));
        assertThat(EgressRule.allow("*.example.com").ports()).isEqualTo(EgressRule.WEB);
    }

    @Test
    void aPortKeepsTheProtocols() {
        var rule = EgressRule.allow("a.example:8443");
        assertThat(rule.ports()).containsExactly(PortRange.of(8443));
        assertThat(rule.protocols()).isEqualTo(EgressRule.SEEN);
        assertThat(EgressRule.allow("a.example:8000-8100").ports()).containsExactly(new PortRange(8000, 8100));
    }

    @Test
    void aProtocolBehindItIsTheOnlyOne() {
        assertThat(EgressRule.allow("a.example:22/tcp")).isEqualTo(EgressRule.allow("a.example:22").withProtocols(Set.of(EgressProtocol.TCP)));
        assertThat(EgressRule.allow("a.example/tls")).isEqualTo(EgressRule.allow("a.example:443").withProtocols(Set.of(EgressProtocol.TLS)));
        assertThat(EgressRule.allow("a.example/http")).isEqualTo(EgressRule.allow("a.example:80").withProtocols(Set.of(EgressProtocol.HTTP)));
    }

    @Test
    void networksAreRawAndHaveEveryPort() {
        var network = EgressRule.allow("192.0.2.0/24");
        assertThat(network.target()).isEqualTo(new EgressTarget.Network(Cidr.parse("192.0.2.0/24")));
        assertThat(network.ports()).isEmpty();
        assertThat(network.protocols()).containsExactly(EgressProtocol.TCP);
        assertThat(EgressRule.allow("192.0.2.7:22")).isEqualTo(EgressRule.allow("192.0.2.7/32").withPorts(List.of(PortRange.of(22))));
        assertThat(EgressRule.allow("[2001:db8::7]:22/tcp")).isEqualTo(EgressRule.allow("2001:db8::7").withPorts(List.of(PortRange.of(22))));
        assertThat(EgressRule.allow("[2001:db8::]")).isEqualTo(EgressRule.allow("2001:db8::/128"));
        assertThat(EgressRule.allow("2001:db8::/32/tls").protocols()).containsExactly(EgressProtocol.TLS);
    }

    @Test
    void aDenialIsOfEverythingThatIsNotNamed() {
        var rule = EgressRule.deny("a.example");
        assertThat(rule.ports()).isEmpty();
        assertThat(rule.protocols()).isEqualTo(EnumSet.allOf(EgressProtocol.class));
        assertThat(EgressRule.deny("a.example:25").ports()).containsExactly(PortRange.of(25));
        assertThat(EgressRule.deny("a.example/tcp").ports()).isEmpty();
    }

    @Test
    void refusesWhatIsNeither() {
        for (String bad : List.of(
                "", ":", ":443", "a.example:", "a.example:0", "a.example:65536", "a.example:443:443", "a.example:+1", "a.example:٤", "a.example/tcp", "a.example:22/udp", "a.example/",
                "a.example:22/", "[a.example]:22", "[192.0.2.7]:22", "[2001:db8::7", "2001:db8::7]:22", "[2001:db8::7]22", "[2001:db8::7]:", "[2001:db8::7%eth0]:22", "[::ffff:192.0.2.7]:22",
                "192.0.2.0/24:22x", "https://a.example", "a.example:443/tls/tls", " a.example", "a.example,b.example", "user@a.example")) {
            assertThatThrownBy(() -> EgressRule.allow(bad)).as(bad).isInstanceOf(SandboxException.class);
        }
        assertThatThrownBy(() -> EgressRule.allow("https://a.example/x")).hasMessageContaining("not a host but a URL");
        assertThatThrownBy(() -> EgressRule.allow("a.example/tcp")).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.failure().remedy()).contains("a.example:22/tcp"));
    }
}
