package dev.caisson.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AptTest {
    private static final List<String> TARGETS = List.of(
            "Debian main bookworm http://mirror.example/debian",
            "Debian contrib bookworm http://mirror.example/debian",
            "Debian main bookworm-updates http://mirror.example/debian",
            "Debian main bookworm-backports http://mirror.example/debian",
            "Debian main bookworm-security http://mirror.example/security",
            "Docker main bookworm https://other.example/linux",
            " main bookworm http://no-origin.example");

    @Test
    void takesDebiansOwnMainFromTheMirrorsOfThisHost() {
        assertThat(AptHost.sources(TARGETS, "bookworm")).containsExactly(
                "deb http://mirror.example/debian bookworm main",
                "deb http://mirror.example/debian bookworm-updates main",
                "deb http://mirror.example/security bookworm-security main");
    }

    @Test
    void withoutSecurityUpdatesOfThatSuiteTheMirrorsAreNotUsed() {
        assertThat(AptHost.sources(TARGETS.subList(0, 4), "bookworm")).isEmpty();
        assertThat(AptHost.sources(TARGETS, "trixie")).isEmpty();
    }

    @Test
    void takesTheProxyAlong() {
        assertThat(AptHost.options(List.of("Acquire::http::Proxy \"http://proxy.example:3128\";", "Dir \"/\";", "DPkg::Post-Invoke:: \"x\";")))
                .containsExactly("Acquire::Retries \"3\";", "Acquire::http::Proxy \"http://proxy.example:3128\";");
    }

    @Test
    void countsWhatAptSays(@TempDir Path directory) throws Exception {
        var log = directory.resolve("log");
        Files.writeString(log, "Unpacking before\n");
        var progress = new AptProgress(log);
        assertThat(progress.news()).isEmpty();
        Files.writeString(log, "0 upgraded, 2 newly installed, 0 to remove\nGet:1 http://x\nUnpacking a (1)\nUnpack", StandardOpenOption.APPEND);
        assertThat(progress.news()).contains("of 2 packages 1 unpacked, 0 installed");
        assertThat(progress.news()).isEmpty();
        Files.writeString(log, "ing b (1)\nSetting up a (1)\n", StandardOpenOption.APPEND);
        assertThat(progress.news()).contains("of 2 packages 2 unpacked, 1 installed");
    }
}
