package dev.caisson.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ResolversTest {
    private static InetSocketAddress at(String address, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(address), port);
    }

    private static List<InetSocketAddress> of(String option) throws Exception {
        return Resolvers.of(Optional.of(option));
    }

    @Test
    void addressesAreReadWithAndWithoutAPort() throws Exception {
        assertThat(of("192.0.2.53")).containsExactly(at("192.0.2.53", 53));
        assertThat(of("192.0.2.53:5353,2001:db8::53,[2001:db8::53],[2001:db8::53]:65535"))
                .containsExactly(at("192.0.2.53", 5353), at("2001:db8::53", 53), at("2001:db8::53", 53), at("2001:db8::53", 65_535));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ",", "192.0.2.53,", "resolver.example", "192.0.2.53:", "192.0.2.53:0x35", "192.0.2.53:65536", "192.0.2.53:-1", "192.0.2.53:0", "[2001:db8::53", "2001:db8::53]", "[192.0.2.53]", "[]:53",
            "192.0.2.53:53:53", "192.0.2.256", "192.0.2", "1", "0300.0.2.53", "192.0.2.53 ", "[[2001:db8::53]]:53", "fe80::1%eth0"})
    void whatIsNoAddressIsRefused(String option) {
        assertThatThrownBy(() -> of(option)).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(Failure.Code.BAD_REQUEST);
            assertThat(e.failure().remedy()).contains("192.0.2.53");
        });
    }
}
