package dev.caisson.sandbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class AddressKindTest {
    private static final List<String> METADATA = List.of(
            "169.254.169.254", "169.254.169.253", "169.254.169.123", "169.254.170.2", "169.254.170.23", "169.254.20.10", "100.100.100.200", "168.63.129.16", "192.0.0.192", "169.254.0.23",
            "169.254.42.42");

    @Test
    void knowsEveryBlock() {
        Map.<AddressKind, List<String>>of(
                AddressKind.PUBLIC, List.of(
                        "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255",
                        "198.17.255.255", "198.20.0.0", "223.255.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "2606:4700::1111", "3fff:ffff::1", "64:ff9b::101:101"),
                AddressKind.PRIVATE, List.of("10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255", "fc00::1", "fd12::1", "fec0::1", "64:ff9b::a00:1"),
                AddressKind.LOOPBACK, List.of("127.0.0.1", "127.255.255.255", "::1", "64:ff9b::7f00:1"),
                AddressKind.LINK_LOCAL, List.of("169.254.0.1", "169.254.255.255", "fe80::1", "febf::1"),
                AddressKind.MULTICAST, List.of("224.0.0.1", "239.255.255.255", "ff02::1"),
                AddressKind.UNSPECIFIED, List.of("0.0.0.0", "0.255.255.255", "::"),
                AddressKind.BROADCAST, List.of("255.255.255.255"),
                AddressKind.SHARED, List.of("100.64.0.0", "100.127.254.255"),
                AddressKind.OWN, List.of("198.18.0.0", "198.19.255.255", "100.127.255.53", "fdca:1550:5::7", "fdca:1550:ffff::53"),
                AddressKind.TUNNEL, List.of("::7f00:1", "::102:304", "::ffff:0:7f00:1", "2002:7f00:1::", "2001:0:1::", "64:ff9b:1::1"))
                .forEach((kind, addresses) -> addresses.forEach(address -> assertThat(AddressKind.of(InetAddress.ofLiteral(address))).as(address).isEqualTo(kind)));
        for (String reserved : List.of("240.0.0.1", "255.255.255.254", "192.0.0.1", "192.88.99.1", "100::1", "2001:2::1", "2001:10::1", "4000::1", "5f00::1", "1::1", "e000::1")) {
            assertThat(AddressKind.of(InetAddress.ofLiteral(reserved))).as(reserved).isEqualTo(AddressKind.RESERVED);
        }
    }

    @Test
    void metadataIsMetadataInEverySpelling() throws UnknownHostException {
        for (String address : METADATA) {
            byte[] b = InetAddress.ofLiteral(address).getAddress();
            String hex = HexFormat.of().formatHex(b);
            String one = hex.substring(0, 4);
            String two = hex.substring(4);
            byte[] turned = b.clone();
            for (int i = 0; i < 4; i++) {
                turned[i] = (byte) ~turned[i];
            }
            String client = HexFormat.of().formatHex(turned);
            var spellings = List.of(
                    address, "::ffff:" + address, "::" + address, "::ffff:0:" + address, "64:ff9b::" + address, "64:ff9b:1::" + address, "2002:" + one + ":" + two + "::1",
                    "2001:0:" + one + ":" + two + "::1", "2001:0:c000:201:0:0:" + client.substring(0, 4) + ":" + client.substring(4),
                    // RFC 6052 with a prefix of 48 bits: two bytes, the one that is left out, two bytes.
                    "64:ff9b:1:" + one + ":00" + two.substring(0, 2) + ":" + two.substring(2) + "00::",
                    "fe80::" + one + ":" + two, "fd00::" + one + ":" + two, "fe80::5efe:" + one + ":" + two, "2001:db8:64::" + address);
            spellings.forEach(spelling -> assertThat(AddressKind.of(InetAddress.ofLiteral(spelling))).as(spelling).isEqualTo(AddressKind.METADATA));
            byte[] mapped = Arrays.copyOf(HexFormat.of().parseHex("00000000000000000000ffff" + hex), 16);
            assertThat(AddressKind.of(Inet6Address.getByAddress("", mapped, 0))).as("mapped, unfolded").isEqualTo(AddressKind.METADATA);
        }
        for (String address : List.of("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42", "fd00:a9fe:a9fe::1", "fe80::a9fe:a9fe", "fd00:c1::a9fe:a9fe")) {
            assertThat(AddressKind.of(InetAddress.ofLiteral(address))).as(address).isEqualTo(AddressKind.METADATA);
        }
    }

    @Test
    void aMappedAddressIsTheAddress() throws UnknownHostException {
        var mapped = Inet6Address.getByAddress("", HexFormat.of().parseHex("00000000000000000000ffff0a000001"), 0);
        assertThat(AddressKind.of(mapped)).isEqualTo(AddressKind.PRIVATE);
        assertThat(AddressKind.plain(mapped)).isEqualTo(InetAddress.ofLiteral("10.0.0.1"));
        assertThat(AddressKind.plain(InetAddress.ofLiteral("64:ff9b::c000:207"))).isEqualTo(InetAddress.ofLiteral("192.0.2.7"));
        assertThat(AddressKind.plain(InetAddress.ofLiteral("2001:db8::1"))).isEqualTo(InetAddress.ofLiteral("2001:db8::1"));
    }

    @Test
    void onlyANetworkWithoutPublicAddressesIsSpecial() {
        for (String special : List.of("10.0.0.0/8", "10.1.0.0/16", "192.168.1.7", "127.0.0.0/8", "169.254.0.0/16", "fd00::/8", "fe80::/10", "::1", "100.64.0.0/10")) {
            assertThat(AddressKind.isSpecial(Cidr.parse(special))).as(special).isTrue();
        }
        for (String mixed : List.of("0.0.0.0/0", "8.0.0.0/6", "::/0", "192.0.2.0/24", "f000::/4", "64:ff9b::/96")) {
            assertThat(AddressKind.isSpecial(Cidr.parse(mixed))).as(mixed).isFalse();
        }
    }

    @Test
    void metadataNamesAreKnownWithAllBelowThem() {
        for (String name : List.of(
                "metadata", "metadata.google.internal", "x.metadata.google.internal", "metadata.goog", "metadata.azure.internal", "instance-data", "instance-data.ec2.internal",
                "instance-data.eu-west-1.compute.internal", "metadata.anything.internal", "metadata.tencentyun.com")) {
            assertThat(Metadata.isName(name)).as(name).isTrue();
        }
        for (String name : List.of("metadata.example.com", "mymetadata.google.internal", "google.internal", "notmetadata", "metadata-x", "instance-data.example.com", "internal")) {
            assertThat(Metadata.isName(name)).as(name).isFalse();
        }
    }
}
