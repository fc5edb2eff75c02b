package dev.caisson.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.egress.SealKey;
import dev.caisson.fake.FakeSandboxes;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.WallSettings;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Tier;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FrontTest {
    private static final Logger JETTY = Logger.getLogger("org.eclipse.jetty");

    static {
        JETTY.setLevel(Level.WARNING);
    }

    @TempDir
    Path home;

    private FakeSandboxes sandboxes;

    @BeforeEach
    void open() {
        sandboxes = new FakeSandboxes(home.resolve("boxes"));
    }

    @AfterEach
    void close() {
        sandboxes.close();
    }

    private Front start(String... more) {
        var arguments = new java.util.ArrayList<>(List.of("--home", home.toString(), "--listen", "127.0.0.1:0"));
        arguments.addAll(List.of(more));
        return Front.start(FrontSettings.parse(arguments), sandboxes, InstantSource.system(), new SecureRandom());
    }

    private static int status(Front front, String key) throws Exception {
        try (var client = HttpClient.newHttpClient()) {
            var request = HttpRequest.newBuilder(URI.create(front.url() + "/v1/status")).header("Authorization", "Bearer " + key).build();
            return client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
        }
    }

    @Test
    void theFirstStartMakesAKeyAndLaterOnesDoNot() throws Exception {
        String key;
        try (Front front = start()) {
            JsonObject ready = JsonObject.parse(front.readyLine().getBytes(StandardCharsets.UTF_8));
            assertThat(ready.text("url")).isEqualTo(front.url().toString()).matches("http://127\\.0\\.0\\.1:[1-9][0-9]*");
            key = ready.text("key");
            ready.end();
            assertThat(front.readyLine()).doesNotContain("\n");
            assertThat(status(front, key)).isEqualTo(200);
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(home.resolve("front")))).isEqualTo("rwx------");
        }
        try (Front front = start()) {
            JsonObject ready = JsonObject.parse(front.readyLine().getBytes(StandardCharsets.UTF_8));
            assertThat(ready.has("key")).isFalse();
            assertThat(status(front, key)).isEqualTo(200);
        }
    }

    @Test
    void theLocalKeyWorks() throws Exception {
        String key = "e2b_" + "12".repeat(20);
        String hash = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.US_ASCII)));
        try (Front front = start("--local-key-sha256", hash)) {
            assertThat(status(front, key)).isEqualTo(200);
            assertThat(status(front, "e2b_" + "13".repeat(20))).isEqualTo(401);
        }
    }

    @Test
    void wallsAreWhatTheOperatorSaysAndOtherwiseStrict() {
        assertThat(FrontSettings.parse(List.of()).walls()).isEqualTo(new WallSettings(Tier.MICROVM, false));
        assertThat(FrontSettings.parse(List.of("--tenant-floor", "gvisor", "--accept-emulated", "yes")).walls()).isEqualTo(new WallSettings(Tier.GVISOR, true));
        assertThat(FrontSettings.parse(List.of("--accept-emulated", "no")).walls()).isEqualTo(WallSettings.DEFAULT);
        refused(() -> FrontSettings.parse(List.of("--tenant-floor", "container")), Failure.Code.BAD_REQUEST, "container");
        refused(() -> FrontSettings.parse(List.of("--accept-emulated", "maybe")), Failure.Code.BAD_REQUEST, "--accept-emulated cannot be 'maybe'");
    }

    @Test
    void aTakenPortIsNamedAndNoKeyIsWasted() throws Exception {
        try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            String address = "127.0.0.1:" + taken.getLocalPort();
            refused(() -> start("--listen", address), Failure.Code.HOST_UNFIT, address);
        }
        try (Front front = start()) {
            assertThat(front.readyLine()).contains("\"key\"");
        }
    }

    @Test
    void anAddressThatIsNotOursIsNamed() {
        refused(() -> start("--listen", "192.0.2.1:0"), Failure.Code.HOST_UNFIT, "192.0.2.1:0");
        refused(() -> start("--listen", "no.such.host.invalid:0"), Failure.Code.HOST_UNFIT, "no.such.host.invalid:0");
    }

    @Test
    void secretsAreSealedForTheGatewayOnceThereIsOne() throws Exception {
        try (Front front = start()) {
            String key = JsonObject.parse(front.readyLine().getBytes(StandardCharsets.UTF_8)).text("key");
            var refused = create(front, key);
            assertThat(refused.statusCode()).isEqualTo(503);
            assertThat(refused.body()).contains("egress-unavailable").doesNotContain("hunter2");
            Files.createDirectory(home.resolve("gateway"));
            var gateway = SealKey.openOrMake(home.resolve("gateway"), new SecureRandom());
            var made = create(front, key);
            assertThat(made.statusCode()).isEqualTo(201);
            var secret = sandboxes.list().getFirst().spec().egress().secrets().getFirst();
            assertThat(made.body()).contains(secret.placeholder()).doesNotContain("hunter2", secret.sealed());
            assertThat(sandboxes.list().getFirst().spec().env()).containsEntry("TOKEN", secret.placeholder());
            try (var value = gateway.open(secret)) {
                assertThat(value).hasToString("*****");
            }
        }
    }

    @Test
    void theOperatorsFileStandsOverEveryRequest() throws Exception {
        String document = Files.readString(Path.of("../docs/egress.md"));
        int begin = document.indexOf("```yaml\n") + 8;
        Path policy = Files.writeString(home.resolve("egress.yaml"), document.substring(begin, document.indexOf("```", begin)));
        try (Front front = start("--egress-policy", policy.toString())) {
            String key = JsonObject.parse(front.readyLine().getBytes(StandardCharsets.UTF_8)).text("key");
            var made = create(front, key, "{\"egress\":{\"allow\":[\"a.example\",\"10.20.1.0/24:22/tcp\"],\"presets\":[\"git-hosting\"]}}");
            assertThat(made.statusCode()).as(made.body()).isEqualTo(201);
            var egress = sandboxes.list().getFirst().spec().egress();
            assertThat(egress.layers()).extracting(layer -> layer.name() + " " + layer.rules().size()).containsExactly("request 14", "operator 2");
            assertThat(create(front, key, "{\"egress\":{\"allow\":[\"10.99.0.0/16\"]}}").body()).contains("not-permitted", "10.99.0.0/16");
            assertThat(create(front, key, "{\"egress\":{\"mode\":\"open\"}}").body()).contains("not-permitted", "--egress-open");
            assertThat(create(front, key, "{\"egress\":{\"presets\":[\"nonesuch\"]}}").body()).contains("bad-request", "model-apis");
        }
        try (Front front = start("--egress-policy", policy.toString(), "--egress-open", "yes")) {
            assertThat(front.readyLine()).doesNotContain("key");
        }
        Files.writeString(policy, "ceilings: {}");
        refused(() -> start("--egress-policy", policy.toString()), Failure.Code.BAD_REQUEST, policy + ": unknown key 'ceilings'");
        refused(() -> start("--egress-policy", home.resolve("nowhere.yaml").toString()), Failure.Code.HOST_UNFIT, "nowhere.yaml");
    }

    private static HttpResponse<String> create(Front front, String key) throws Exception {
        return create(front, key, "{\"secrets\":[{\"name\":\"TOKEN\",\"value\":\"hunter2\",\"hosts\":[\"api.example.com\"]}]}");
    }

    private static HttpResponse<String> create(Front front, String key, String json) throws Exception {
        try (var client = HttpClient.newHttpClient()) {
            var body = HttpRequest.BodyPublishers.ofString(json);
            var request = HttpRequest.newBuilder(URI.create(front.url() + "/v1/sandboxes")).header("Authorization", "Bearer " + key).header("Content-Type", "application/json").POST(body).build();
            return client.send(request, HttpResponse.BodyHandlers.ofString());
        }
    }

    @Test
    void settingsHaveDefaults() {
        FrontSettings settings = FrontSettings.parse(List.of());
        assertThat(settings.home()).hasToString("/var/lib/caisson");
        assertThat(settings.listen()).hasToString("/127.0.0.1:7070");
        assertThat(settings.localKeySha256()).isEmpty();
        assertThat(settings.tied()).isFalse();
        assertThat(settings.egressOpen()).isFalse();
        assertThat(settings.egressPolicy()).isEmpty();
    }

    @Test
    void everySettingIsRead() {
        FrontSettings settings = FrontSettings.parse(List.of("--tied", "--local-key-sha256", "ab".repeat(32), "--listen", "[::1]:99", "--home", "/x/y", "--egress-open", "yes", "--egress-policy", "/etc/e.yaml"));
        assertThat(settings.egressOpen()).isTrue();
        assertThat(settings.egressPolicy()).hasValueSatisfying(file -> assertThat(file).hasToString("/etc/e.yaml"));
        assertThat(settings.sealKey()).hasToString("/x/y/gateway/seal.pub");
        assertThat(settings.home()).hasToString("/x/y");
        assertThat(settings.keyStore()).hasToString("/x/y/front/front.db");
        assertThat(settings.nodeSocket()).hasToString("/x/y/run/node.sock");
        assertThat(settings.listen().getPort()).isEqualTo(99);
        assertThat(settings.listen().getAddress().isLoopbackAddress()).isTrue();
        assertThat(settings.localKeySha256()).hasValueSatisfying(hash -> assertThat(hash).hasSize(32));
        assertThat(settings.tied()).isTrue();
    }

    @Test
    void unknownAndHalfSettingsAreRefused() {
        for (List<String> bad : List.of(
                List.of("--port", "1"), List.of("--home"), List.of("--listen", "7070"), List.of("--listen", ":1"), List.of("--listen", "a:b"), List.of("--listen", "a:65536"),
                List.of("--listen", "::1:5"), List.of("--local-key-sha256", "AB".repeat(32)), List.of("x"), List.of("--egress-open", "true"))) {
            refused(() -> FrontSettings.parse(bad), Failure.Code.BAD_REQUEST, "");
        }
    }

    private static void refused(org.assertj.core.api.ThrowableAssert.ThrowingCallable call, Failure.Code code, String says) {
        assertThatThrownBy(call).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(code);
            assertThat(e.failure().message()).contains(says);
            assertThat(e.failure().remedy()).isNotBlank();
        });
    }
}
