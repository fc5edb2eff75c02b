package dev.caisson.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RefusedPacketsTest {
    private static final String FOUR = "4500002800010000400600006440000a080808081f9001bb0000000000000000";
    private static final String SIX = "6000000000140640fdca155000010000000000000000000220010db8000100000000000000000007";

    private static RefusedPackets.Packet parse(String hex) {
        return RefusedPackets.parse(HexFormat.of().parseHex(hex)).orElseThrow();
    }

    @Test
    void readsWhereAPacketWantedToGo() {
        assertThat(parse(FOUR)).isEqualTo(new RefusedPackets.Packet(InetAddress.ofLiteral("100.64.0.10"), InetAddress.ofLiteral("8.8.8.8"), 6, 443));
        assertThat(parse(SIX + "1f9001bb")).isEqualTo(new RefusedPackets.Packet(InetAddress.ofLiteral("fdca:1550:1::2"), InetAddress.ofLiteral("2001:db8:1::7"), 6, 443));
        // Options of IPv4, extension headers of IPv6: the port is behind them.
        assertThat(parse("46" + FOUR.substring(2, 40) + "00000000" + FOUR.substring(40)).port()).isEqualTo(443);
        assertThat(parse(SIX.substring(0, 12) + "00" + SIX.substring(14) + "3c00000000000000" + "1100000000000000" + "003501bb"))
                .matches(packet -> packet.protocol() == 17 && packet.port() == 443);
    }

    @Test
    void aPortThatIsNotThereIsZero() {
        assertThat(parse(FOUR.substring(0, 40)).port()).as("cut behind the header").isZero();
        assertThat(parse(FOUR.substring(0, 12) + "2001" + FOUR.substring(16)).port()).as("a fragment").isZero();
        assertThat(parse(FOUR.substring(0, 18) + "01" + FOUR.substring(20)).port()).as("ICMP").isZero();
        assertThat(RefusedPackets.parse(HexFormat.of().parseHex(FOUR.substring(0, 38)))).isEmpty();
        assertThat(RefusedPackets.parse(HexFormat.of().parseHex(SIX.substring(0, 78)))).isEmpty();
        assertThat(RefusedPackets.parse(new byte[0])).isEmpty();
    }

    @Test
    void whateverComesNothingIsThrown() {
        var random = new Random(155);
        int read = 0;
        int found = 0;
        for (int i = 0; i < 200_000; i++) {
            byte[] packet = new byte[random.nextInt(97)];
            random.nextBytes(packet);
            if (packet.length > 0 && i % 3 != 0) {
                packet[0] = (byte) ((i % 3 == 1 ? 0x40 : 0x60) | packet[0] & 15);
                if (packet.length > 6 && random.nextBoolean()) {
                    packet[6] = (byte) (random.nextBoolean() ? 0 : 60);
                }
            }
            read += RefusedPackets.parse(packet).isPresent() ? 1 : 0;
            // Lengths that may fit.
            if (packet.length > 1) {
                packet[0] = (byte) random.nextInt(packet.length + 4);
                packet[1] = 0;
            }
            found += packet.length > 3 && Refusals.attribute(packet, 0, packet[2] & 0xff | (packet[3] & 0x3f) << 8).isPresent() ? 1 : 0;
        }
        assertThat(read).isGreaterThan(10_000);
        assertThat(found).isPositive();
    }
}
