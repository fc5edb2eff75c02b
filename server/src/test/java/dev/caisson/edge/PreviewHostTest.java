package dev.caisson.edge;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.api.PreviewDomain;
import dev.caisson.sandbox.SandboxId;
import java.net.URI;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// One spelling of each name, or none.
class PreviewHostTest {
    private static final String ID = "sbabcdefghijklmnop23";
    private static final PreviewDomain DOMAIN = new PreviewDomain("Box.Test", 443, true);

    @ParameterizedTest
    @ValueSource(strings = {"2280-" + ID + ".box.test", "2280-" + ID + ".box.test:8443", "2280-SBABCDEFGHIJKLMNOP23.BOX.test"})
    void readsTheCanonicalName(String host) {
        assertThat(PreviewHost.parse(host, DOMAIN)).isInstanceOfSatisfying(PreviewHost.Port.class, port -> {
            assertThat(port.port()).isEqualTo(2280);
            assertThat(port.sandbox()).isEqualTo(new SandboxId(ID));
            assertThat(port.name()).isEqualTo("2280-" + ID + ".box.test");
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "02280-" + ID + ".box.test", "0-" + ID + ".box.test", "65536-" + ID + ".box.test", "99999-" + ID + ".box.test", "+2280-" + ID + ".box.test", "-1-" + ID + ".box.test",
        " 2280-" + ID + ".box.test", "2280-" + ID + ".box.test.", "2280-" + ID + ".box.test.:80", "2280.-" + ID + ".box.test", "٢٢٨٠-" + ID + ".box.test", "2280-" + ID + "x.box.test",
        "2280-" + ID + "-x.box.test", "a.2280-" + ID + ".box.test", "2280-" + ID + ".a.box.test", ID + ".box.test", "2280-.box.test", "2280-sb0bcdefghijklmnop23.box.test",
        "user@2280-" + ID + ".box.test", "2280-" + ID + ".box.test:", "2280-" + ID + ".box.test:0", "2280-" + ID + ".box.test:080", "2280-" + ID + ".box.test:65536",
        "2280-" + ID + "..box.test", "2280_" + ID + ".box.test", "2280-" + ID + "%2ebox.test.box.test", "www.box.test", "0x8e8-" + ID + ".box.test", "2280 -" + ID + ".box.test"})
    void refusesEveryOtherSpelling(String host) {
        assertThat(PreviewHost.parse(host, DOMAIN)).isInstanceOf(PreviewHost.Malformed.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"box.test", "box.test:8443", "api.box.test", "sandbox.box.test"})
    void leavesNamesOfOtherDoorsToThem(String host) {
        assertThat(PreviewHost.parse(host, DOMAIN)).isInstanceOf(PreviewHost.Other.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "[::1]:80", "localhost", "box.test.example.org", "xbox.test", "2280-" + ID + ".xbox.test", ""})
    void takesNothingFromElsewhere(String host) {
        assertThat(PreviewHost.parse(host, DOMAIN)).isInstanceOf(PreviewHost.Elsewhere.class);
    }

    @Test
    void writesWhatItReads() {
        var id = new SandboxId(ID);
        assertThat(DOMAIN.url(id, 3000)).isEqualTo(URI.create("https://3000-" + ID + ".box.test/"));
        assertThat(new PreviewDomain("box.test", 8443, true).url(id, 3000)).isEqualTo(URI.create("https://3000-" + ID + ".box.test:8443/"));
        assertThat(new PreviewDomain("box.test", 80, false).url(id, 3000)).isEqualTo(URI.create("http://3000-" + ID + ".box.test/"));
    }
}
