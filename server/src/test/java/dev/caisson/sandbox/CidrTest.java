package dev.caisson.sandbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CidrTest {
    @Test
    void holdsExactlyTheAddressesThatShareItsPrefix() throws UnknownHostException {
        var random = new Random(1);
        for (int i = 0; i < 20_000; i++) {
            byte[] address = new byte[random.nextBoolean() ? 4 : 16];
            random.nextBytes(address);
            // A mapped one would come back as IPv4.
            address[0] |= 1;
            int prefix = random.nextInt(address.length * 8 + 1);
            byte[] network = address.clone();
            for (int bit = prefix; bit < network.length * 8; bit++) {
                network[bit / 8] &= (byte) ~(0x80 >> bit % 8);
            }
            var cidr = Cidr.of(network, prefix);
            int turned = random.nextInt(address.length * 8);
            assertThat(cidr.contains(InetAddress.getByAddress(address))).isTrue();
            address[turned / 8] ^= (byte) (0x80 >> turned % 8);
            assertThat(cidr.contains(InetAddress.getByAddress(address))).as("%s without bit %d", cidr, turned).isEqualTo(turned >= prefix);
            assertThat(cidr.contains(InetAddress.getByAddress(new byte[address.length == 4 ? 16 : 4]))).isFalse();
        }
    }
}
