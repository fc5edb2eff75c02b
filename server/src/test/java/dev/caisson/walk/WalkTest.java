package dev.caisson.walk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.client.Caisson;
import dev.caisson.client.CommandEnd;
import dev.caisson.client.CommandOptions;
import dev.caisson.client.SandboxOptions;
import dev.caisson.client.Tier;
import dev.caisson.client.Trust;
import dev.caisson.testing.Leftovers;
import dev.caisson.testing.Servers;
import dev.caisson.testing.TestHome;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The data walk, from the Java SDK through the three processes to an agent and back: see docs/architecture.md.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class WalkTest {
    private static TestHome home;
    private static Servers servers;
    private static Caisson caisson;

    @BeforeAll
    static void up() throws Exception {
        home = TestHome.make();
        servers = new Servers(home);
        servers.start(Servers.Kind.DEADMAN);
        servers.start(Servers.Kind.NODE);
        String ready = servers.start(Servers.Kind.FRONT, "--listen", "127.0.0.1:0", "--local-key-sha256", "0".repeat(64));
        caisson = Caisson.connect(value(ready, "url"), value(ready, "key"));
    }

    @AfterAll
    static void down() throws Exception {
        caisson.close();
        servers.close();
        home.close();
    }

    private static String value(String json, String key) {
        Matcher found = Pattern.compile("\"" + key + "\":\"([^\"]+)\"").matcher(json);
        assertThat(found.find()).as("%s in %s", key, json).isTrue();
        return found.group(1);
    }

    private static SandboxOptions options(Tier tier) {
        return SandboxOptions.defaults().withTier(tier).withTrust(tier == Tier.CONTAINER ? Trust.TRUSTED : Trust.UNTRUSTED);
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void oneUntrustedSnippet(Tier tier) throws Exception {
        var leftovers = new Leftovers(home.path(), home.home().cgroupParent());
        String id;
        try (var sandbox = caisson.create(options(tier))) {
            id = sandbox.id();
            assertThat(leftovers.now()).anyMatch(one -> one.contains(id));
            var result = sandbox.run("python3", "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)");
            assertThat(result.stdoutText()).isEqualTo("out\n");
            assertThat(result.stderrText()).isEqualTo("err\n");
            assertThat(result.status()).isEqualTo(7);
            assertThat(result.outcome()).isEqualTo(CommandEnd.Outcome.EXITED);
            var receipt = sandbox.delete();
            assertThat(receipt.leaks()).isZero();
            assertThat(receipt.resources()).hasSizeGreaterThan(5).allMatch(check -> check.gone());
        }
        assertThat(leftovers.after(Duration.ofSeconds(2))).noneMatch(one -> one.contains(id));
        assertThat(caisson.receipt(id).id()).isEqualTo(id);
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void bytesArriveAsTheyWere(Tier tier) throws Exception {
        byte[] content = new byte[5 << 20];
        new Random(3).nextBytes(content);
        try (var sandbox = caisson.create(options(tier))) {
            sandbox.files().write("/home/user/random", content);
            assertThat(sandbox.files().readAll("/home/user/random")).isEqualTo(content);
            assertThat(sandbox.run("cat", "random").stdout()).isEqualTo(content);
            var echoed = new java.io.ByteArrayOutputStream();
            try (var cat = sandbox.start(CommandOptions.of("cat").withInput())) {
                Thread.startVirtualThread(() -> cat.sendInput(new ByteArrayInputStream(content)));
                cat.await(bytes -> java.nio.channels.Channels.newChannel(echoed).write(bytes), bytes -> {});
            }
            assertThat(echoed.toByteArray()).isEqualTo(content);
            assertThat(sandbox.run("stat", "-c", "%U %a", "/home/user/random").stdoutText()).isEqualTo("user 644\n");
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void longArgumentsAndNamesThatAreNotAscii(Tier tier) throws Exception {
        try (var sandbox = caisson.create(options(tier))) {
            String argument = "ä".repeat(60_000);
            assertThat(sandbox.run("printf", "%s", argument).stdoutText()).isEqualTo(argument);
            sandbox.files().write("/home/user/наме ☃", "x".getBytes(StandardCharsets.UTF_8));
            sandbox.run("bash", "-c", "touch $'not\\xffutf8'");
            assertThat(sandbox.files().list("/home/user", 1)).anyMatch(file -> file.name().equals("наме ☃")).anyMatch(file -> file.name().contains("\uFFFD") && !file.rawName().isEmpty());
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aStreamGoesOnAcrossAKilledNode(Tier tier) throws Exception {
        try (var sandbox = caisson.create(options(tier))) {
            var counting = Thread.ofVirtual();
            var result = new java.util.concurrent.CompletableFuture<String>();
            counting.start(() -> {
                try {
                    result.complete(sandbox.run("bash", "-c", "for i in $(seq 1 60); do echo line $i; sleep 0.05; done").stdoutText());
                } catch (RuntimeException e) {
                    result.completeExceptionally(e);
                }
            });
            while (sandbox.commands().isEmpty()) {
                Thread.onSpinWait();
            }
            Thread.sleep(500);
            servers.kill(Servers.Kind.NODE);
            servers.start(Servers.Kind.NODE);
            var expected = new StringBuilder();
            for (int i = 1; i <= 60; i++) {
                expected.append("line ").append(i).append('\n');
            }
            assertThat(result.get(60, TimeUnit.SECONDS)).isEqualTo(expected.toString());
        }
    }
}
