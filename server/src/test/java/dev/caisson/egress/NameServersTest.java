package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NameServersTest {
    @Test
    void readsTheFirstThree(@TempDir Path directory) throws Exception {
        var file = Files.writeString(directory.resolve("resolv.conf"), """
                # nameserver 192.0.2.9
                search example.com
                nameserver 192.0.2.1
                \tnameserver   2001:db8::1  # the second
                nameserver not-an-address
                nameserver
                options ndots:5
                nameserver 192.0.2.3
                nameserver 192.0.2.4
                """);
        assertThat(NameServers.of(file)).containsExactly(new InetSocketAddress(InetAddress.ofLiteral("192.0.2.1"), 53), new InetSocketAddress(InetAddress.ofLiteral("2001:db8::1"), 53),
                new InetSocketAddress(InetAddress.ofLiteral("192.0.2.3"), 53));
    }
}
