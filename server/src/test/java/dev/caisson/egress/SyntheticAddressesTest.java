package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Names and the addresses that stand for them in one sandbox.
class SyntheticAddressesTest {
    @TempDir
    private Path directory = Path.of("");

    private Path file = Path.of("");

    @BeforeEach
    void place() {
        file = directory.resolve("names");
    }

    @Test
    void aNameHasOneAddressOfEitherKind() throws IOException {
        try (var addresses = SyntheticAddresses.open(file, 0)) {
            var pair = addresses.of("api.example.com").orElseThrow();
            assertThat(pair.four()).isEqualTo(InetAddress.ofLiteral("198.18.0.1"));
            assertThat(pair.six()).isEqualTo(InetAddress.ofLiteral("fdca:1550:5::c612:1"));
            assertThat(addresses.of("api.example.com")).contains(pair);
            assertThat(addresses.nameOf(pair.four())).contains("api.example.com");
            assertThat(addresses.nameOf(pair.six())).contains("api.example.com");
            assertThat(addresses.of("other.example.com").orElseThrow().four()).isEqualTo(InetAddress.ofLiteral("198.18.0.2"));
            assertThat(addresses.count()).isEqualTo(2);
        }
    }

    @Test
    void whatHasNoNameIsNobodys() throws IOException {
        try (var addresses = SyntheticAddresses.open(file, 0)) {
            addresses.of("api.example.com");
            for (String text : new String[] {"198.18.0.0", "198.18.0.2", "198.19.255.255", "198.20.0.1", "192.0.2.1", "0.0.0.1", "fdca:1550:5::1", "fdca:1550:5::c612:2", "fdca:1550:6::c612:1", "::c612:1"}) {
                assertThat(addresses.nameOf(InetAddress.ofLiteral(text))).as(text).isEmpty();
            }
        }
        assertThat(SyntheticAddresses.areThese(InetAddress.ofLiteral("198.19.255.255"))).isTrue();
        assertThat(SyntheticAddresses.areThese(InetAddress.ofLiteral("fdca:1550:5::1"))).isTrue();
        assertThat(SyntheticAddresses.areThese(InetAddress.ofLiteral("198.20.0.0"))).isFalse();
        assertThat(SyntheticAddresses.areThese(InetAddress.ofLiteral("fdca:1550:5:0:0:1::"))).isFalse();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, -1, SyntheticAddresses.MAX_INDEX - 5, SyntheticAddresses.MAX_INDEX, Integer.MIN_VALUE, Integer.MAX_VALUE})
    void refusesOneNameMoreThanItHolds(int start) throws IOException {
        Set<InetAddress> seen = new HashSet<>();
        try (var addresses = SyntheticAddresses.open(file, start)) {
            for (int i = 0; i < SyntheticAddresses.MAX_NAMES; i++) {
                var pair = addresses.of("n" + i + ".example.com").orElseThrow();
                assertThat(SyntheticAddresses.FOUR.contains(pair.four()) && SyntheticAddresses.SIX.contains(pair.six())).isTrue();
                assertThat(seen.add(pair.four()) && seen.add(pair.six())).isTrue();
            }
            assertThat(addresses.of("one.more.example.com")).isEmpty();
            assertThat(addresses.of("n0.example.com")).isPresent();
        }
        assertThat(seen).doesNotContain(InetAddress.ofLiteral("198.18.0.0"), InetAddress.ofLiteral("198.19.255.255"));
        try (var again = SyntheticAddresses.open(file, 77)) {
            assertThat(again.count()).isEqualTo(SyntheticAddresses.MAX_NAMES);
            assertThat(again.of("one.more.example.com")).isEmpty();
        }
    }

    @Test
    void anAddressMeansTheSameNameWhenItIsOpenedAgain() throws IOException {
        Map<String, SyntheticAddresses.Pair> before = new HashMap<>();
        for (int round = 0; round < 5; round++) {
            try (var addresses = SyntheticAddresses.open(file, round * 1_000)) {
                before.forEach((name, pair) -> {
                    assertThat(addresses.of(name)).contains(pair);
                    assertThat(addresses.nameOf(pair.six())).contains(name);
                });
                for (int i = 0; i < 20; i++) {
                    String name = "r" + round + "n" + i + ".example.com";
                    before.put(name, addresses.of(name).orElseThrow());
                }
            }
        }
        assertThat(before.values().stream().map(SyntheticAddresses.Pair::four).distinct()).hasSize(100);
    }

    @Test
    void aLineThatWasCutOffIsForgottenAndTheRestIsKept() throws IOException {
        try (var addresses = SyntheticAddresses.open(file, 0)) {
            addresses.of("api.example.com");
        }
        for (String torn : new String[] {"2", "2 ", "2 other.exam"}) {
            Files.writeString(file, torn, StandardOpenOption.APPEND);
            try (var addresses = SyntheticAddresses.open(file, 0)) {
                assertThat(addresses.count()).isEqualTo(1);
                assertThat(addresses.nameOf(InetAddress.ofLiteral("198.18.0.2"))).isEmpty();
            }
            assertThat(file).hasContent("1 api.example.com\n");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"\n", "x\n", "0 a.test\n", "131071 a.test\n", "-1 a.test\n", "99999999999 a.test\n", "1 A.test\n", "1 a.test.\n", "1 192.0.2.1\n", "1 \n", "1 a.test\n1 b.test\n", "1 a.test\n2 a.test\n",
        "1 a.test\r\n", "1  a.test\n", "+1 a.test\n"})
    void refusesAFileThatIsNotItsOwn(String text) throws IOException {
        Files.writeString(file, text);
        assertThatThrownBy(() -> SyntheticAddresses.open(file, 0)).isInstanceOf(IOException.class).hasMessageContaining(file.toString());
        assertThat(file).hasContent(text);
    }

    @Test
    void refusesNamesThatAreNotInTheirOneSpelling() throws IOException {
        try (var addresses = SyntheticAddresses.open(file, 0)) {
            for (String name : new String[] {"", "A.test", "a.test.", "a.test\n2 b.test", "a b", "192.0.2.1"}) {
                assertThat(addresses.of(name)).isEqualTo(Optional.empty());
            }
            assertThat(addresses.count()).isZero();
        }
        assertThat(file).isEmptyFile();
    }

    @Test
    void givesNoAddressThatIsNotWrittenDown() throws IOException {
        var addresses = SyntheticAddresses.open(file, 0);
        addresses.close();
        assertThat(addresses.of("api.example.com")).isEmpty();
        assertThat(addresses.count()).isZero();
    }
}
