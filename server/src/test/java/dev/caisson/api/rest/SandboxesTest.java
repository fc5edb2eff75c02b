package dev.caisson.api.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.json.Forms;
import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class SandboxesTest {
    @TempDir
    Path directory;

    private House house;

    @BeforeEach
    void open() {
        house = new House(directory);
    }

    @AfterEach
    void close() {
        house.close();
    }

    private SandboxInfo create(String json) {
        return Forms.SANDBOX_INFO.read(house.post("/v1/sandboxes", json).is(201).response().body());
    }

    @Test
    void everyPartHasADefault() {
        assertThat(create("{}").spec()).isEqualTo(SandboxSpec.defaults());
        var empty = house.send(house.request("/v1/sandboxes").POST(BodyPublishers.noBody())).is(201);
        assertThat(Forms.SANDBOX_INFO.read(empty.response().body()).spec()).isEqualTo(SandboxSpec.defaults());
        assertThat(empty.header("Location")).isEqualTo("/v1/sandboxes/" + empty.text("id"));
    }

    @Test
    void aTemplateMayHaveDefaultsOfItsOwn() {
        assertThat(house.get("/v1/templates").is(200).body()).contains("\"name\":\"base\",\"digest\":\"sha256:", "{\"name\":\"large\",\"size_bytes\":0,\"limits\":{", "\"start\":\"serve\",\"ready_port\":80}");
        assertThat(create("{\"template\":\"large\"}").spec().limits().memory().toString()).isEqualTo("1GiB");
        assertThat(create("{\"template\":\"large\",\"memory\":\"128MiB\"}").spec().limits().memory().toString()).isEqualTo("128MiB");
    }

    @Test
    void everyPartCanBeAsked() {
        SandboxSpec spec = create("""
                {"template":"python","trust":"trusted","tier":"container","cpus":0.25,"memory":"128MiB","processes":20,"disk":"2g","open_files":100,
                 "lease_seconds":1.5,"env":{"A":"1"},"labels":{"job":"x"}}""").spec();
        assertThat(spec.template().value()).isEqualTo("python");
        assertThat(spec.trust()).isEqualTo(Trust.TRUSTED);
        assertThat(spec.tier()).isEqualTo(Tier.CONTAINER);
        assertThat(spec.limits().toString()).isEqualTo("Limits[cpus=0.25, memory=128MiB, processes=20, disk=2GiB, openFiles=100]");
        assertThat(spec.lease()).isEqualTo(Duration.ofMillis(1500));
        assertThat(spec.env()).isEqualTo(Map.of("A", "1"));
        assertThat(spec.labels()).as("without our own").isEqualTo(Map.of("job", "x"));
        assertThat(create("{\"memory_bytes\":134217728,\"disk_bytes\":33554432,\"tier\":null}").spec().limits().memory().toString()).isEqualTo("128MiB");
        assertThat(create("{\"memory\":134217728}").spec().limits().memory().toString()).isEqualTo("128MiB");
        assertThat(create("{\"trust\":\"trusted\"}").spec().tier()).as("the floor is the default").isEqualTo(Tier.CONTAINER);
        assertThat(create("{\"trust\":\"trusted\",\"tier\":\"gvisor\"}").spec().tier()).isEqualTo(Tier.GVISOR);
    }

    @Test
    void aSpecThatWasShownCanBeSentAgain() {
        SandboxInfo first = create("{\"labels\":{\"a\":\"b\"},\"lease_seconds\":77}");
        String shown = house.get("/v1/sandboxes/" + first.id()).is(200).body();
        String spec = shown.substring(shown.indexOf("\"spec\":") + 7, shown.indexOf(",\"image_digest\""));
        assertThat(create(spec).spec()).isEqualTo(first.spec());
    }

    @Test
    void whatCannotBeIsRefusedAndNothingIsMade() {
        post("{\"tier\":\"container\"}", 403, "tier-too-weak");
        post("{\"trust\":\"reviewed\",\"tier\":\"container\"}", 403, "tier-too-weak");
        post("{\"tier\":\"microvm\"}", 503, "tier-unavailable");
        post("{\"tier\":\"xen\"}", 400, "bad-request");
        post("{\"trust\":\"blind\"}", 400, "bad-request");
        post("{\"template\":\"missing\"}", 404, "template-not-found");
        post("{\"template\":\"../x\"}", 400, "bad-request");
        post("{\"cpus\":0}", 400, "out-of-range");
        post("{\"cpus\":1.0005}", 400, "bad-request");
        post("{\"cpus\":\"2\"}", 400, "bad-request");
        post("{\"memory\":\"1MiB\"}", 400, "out-of-range");
        post("{\"memory\":\"lots\"}", 400, "bad-request");
        post("{\"memory\":\"512MiB\",\"memory_bytes\":1}", 400, "bad-request");
        post("{\"disk\":\"2TiB\"}", 400, "out-of-range");
        post("{\"processes\":3}", 400, "out-of-range");
        post("{\"open_files\":1}", 400, "out-of-range");
        post("{\"lease_seconds\":0}", 400, "out-of-range");
        post("{\"lease_seconds\":86401}", 400, "out-of-range");
        post("{\"lease_seconds\":\"5m\"}", 400, "bad-request");
        post("{\"env\":{\"A=B\":\"1\"}}", 400, "bad-request");
        post("{\"env\":{\"A\":1}}", 400, "bad-request");
        post("{\"labels\":{\"caisson.key\":\"k1\"}}", 400, "bad-request");
        post("{\"memroy\":1}", 400, "bad-request");
        assertThat(house.sandboxes.list()).isEmpty();
    }

    private void post(String json, int status, String code) {
        house.post("/v1/sandboxes", json).problem(status, code);
    }

    @Test
    void showsRenewsAndDeletes() {
        SandboxId id = house.sandbox();
        String path = "/v1/sandboxes/" + id;
        SandboxInfo info = Forms.SANDBOX_INFO.read(house.get(path).is(200).response().body());
        assertThat(info.createMillis()).isEqualTo(42);
        SandboxInfo renewed = Forms.SANDBOX_INFO.read(house.post(path + "/lease", "{\"lease_seconds\":600}").is(200).response().body());
        assertThat(renewed.expires()).isEqualTo(info.created().plusSeconds(600));
        house.post(path + "/lease", "{}").problem(400, "bad-request");
        house.post(path + "/lease", "{\"lease_seconds\":0.5}").problem(400, "out-of-range");
        assertThat(Forms.USAGE.read(house.get(path + "/usage").is(200).response().body()).peakMemory().toString()).isEqualTo("10MiB");
        Receipt receipt = Forms.RECEIPT.read(house.delete(path).is(200).response().body());
        assertThat(receipt.id()).isEqualTo(id);
        assertThat(Forms.RECEIPT.read(house.delete(path).is(200).response().body())).as("asked again").isEqualTo(receipt);
        house.get(path).problem(404, "sandbox-not-found");
        assertThat(house.get(path).json().text("sandbox")).isEqualTo(id.value());
        assertThat(Forms.RECEIPT.read(house.get("/v1/receipts/" + id).is(200).response().body())).isEqualTo(receipt);
        assertThat(house.get("/v1/receipts").is(200).body()).contains(id.value());
        house.get("/v1/receipts?limit=0").problem(400, "out-of-range");
        house.get("/v1/receipts/sbaaaaaaaaaaaaaaaaaa").problem(404, "receipt-not-found");
        house.get("/v1/sandboxes/nope").problem(400, "bad-request");
    }

    @Test
    void listsInPagesOldestFirst() {
        var made = new ArrayList<String>();
        for (int i = 0; i < 7; i++) {
            made.add(create("{\"labels\":{\"parity\":\"" + i % 2 + "\",\"n\":\"" + i + "\"}}").id().value());
        }
        var seen = new ArrayList<String>();
        String next = "";
        do {
            JsonObject page = house.get("/v1/sandboxes?limit=3" + (next.isEmpty() ? "" : "&after=" + next)).is(200).json();
            page.objects("sandboxes", Forms.SANDBOX_INFO).forEach(info -> seen.add(info.id().value()));
            next = page.text("next", "");
        } while (!next.isEmpty());
        assertThat(seen).isEqualTo(made);
        assertThat(ids("?label=parity=1")).isEqualTo(List.of(made.get(1), made.get(3), made.get(5)));
        assertThat(ids("?label=parity%3D1&label=n=3")).isEqualTo(List.of(made.get(3)));
        assertThat(ids("?label=parity=9")).isEmpty();
        JsonObject first = house.get("/v1/sandboxes?limit=3").is(200).json();
        house.delete("/v1/sandboxes/" + made.get(2)).is(200);
        assertThat(ids("?after=" + first.text("next"))).as("goes on although the page's last one is gone").isEqualTo(made.subList(3, 7));
        house.get("/v1/sandboxes?label=x").problem(400, "bad-request");
        house.get("/v1/sandboxes?after=x").problem(400, "bad-request");
        house.get("/v1/sandboxes?limit=1001").problem(400, "out-of-range");
        house.get("/v1/sandboxes?limit=1&limit=2").problem(400, "bad-request");
        house.get("/v1/sandboxes?lable=x").problem(400, "bad-request");
    }

    private List<String> ids(String query) {
        return house.get("/v1/sandboxes" + query).is(200).json().objects("sandboxes", Forms.SANDBOX_INFO).stream().map(info -> info.id().value()).toList();
    }

    @Test
    void aKeyHasAQuota() {
        house.close();
        house = new House(directory, Duration.ofSeconds(10), Duration.ofSeconds(75), 2);
        SandboxId first = house.sandbox();
        house.sandbox();
        house.post("/v1/sandboxes", "{}").problem(429, "too-many");
        house.delete("/v1/sandboxes/" + first).is(200);
        house.sandbox();
    }

    @Test
    void tellsTheNodesFigures() {
        house.sandbox();
        var in = house.get("/v1/status").is(200).json();
        var status = Forms.NODE_STATUS.readKeys(in);
        assertThat(in.child("policy").orElseThrow().text("floor")).isEqualTo("gvisor");
        in.end();
        assertThat(status.alive()).isOne();
        assertThat(house.get("/v1/health").is(200).body()).isEqualTo("{\"status\":\"ok\"}");
        house.get("/v1/sandboxes/nope");
        String metrics = house.get("/v1/metrics").is(200).body();
        assertThat(metrics).contains("caisson_node_up 1\n", "caisson_sandboxes_alive 1\n", "caisson_resources_leaked_total 0\n", "caisson_tier_available{tier=\"microvm\"} 0\n",
                "caisson_driver_available{driver=\"gvisor\",tier=\"gvisor\"} 1\n",
                "caisson_http_request_seconds_count{method=\"POST\",route=\"/v1/sandboxes\",status=\"201\"} 1\n",
                "caisson_http_request_seconds_count{method=\"GET\",route=\"/v1/sandboxes/{id}\",status=\"400\"} 1\n");
        for (String line : metrics.split("\n")) {
            assertThat(line).matches("# (HELP|TYPE) caisson_[a-z_]+ .+|caisson_[a-z_]+(\\{([a-z]+=\"[^\"\\\\]*\",?)+})? [0-9.E+-]+");
        }
    }

    @Test
    void whenTheNodeIsAwayEverythingSaysSo() {
        SandboxId id = house.sandbox();
        house.sandboxes.breakWith(new Failure(Failure.Code.NODE_UNREACHABLE, "the node does not answer", "see `caisson status`"));
        house.get("/v1/health").problem(503, "node-unreachable");
        house.get("/v1/status").problem(503, "node-unreachable");
        house.get("/v1/sandboxes").problem(503, "node-unreachable");
        house.get("/v1/sandboxes/" + id).problem(503, "node-unreachable");
        house.post("/v1/sandboxes", "{}").problem(503, "node-unreachable");
        house.post("/v1/sandboxes/" + id + "/commands", "{\"argv\":[\"true\"]}").problem(503, "node-unreachable");
        assertThat(house.get("/v1/metrics").is(200).body()).contains("caisson_node_up 0\n").doesNotContain("caisson_sandboxes_alive");
        house.sandboxes.breakWith(null);
        house.get("/v1/health").is(200);
    }

    @Test
    void everyFailureHasItsStatus() {
        Map<String, Integer> statuses = Map.ofEntries(
                Map.entry("bad-request", 400), Map.entry("out-of-range", 400), Map.entry("program-not-found", 400), Map.entry("user-not-found", 400),
                Map.entry("unauthorized", 401), Map.entry("tier-too-weak", 403), Map.entry("not-permitted", 403), Map.entry("file-denied", 403),
                Map.entry("template-not-found", 404), Map.entry("sandbox-not-found", 404), Map.entry("command-not-found", 404), Map.entry("receipt-not-found", 404),
                Map.entry("key-not-found", 404), Map.entry("file-not-found", 404), Map.entry("file-exists", 409), Map.entry("not-a-directory", 409),
                Map.entry("is-a-directory", 409), Map.entry("file-failed", 409), Map.entry("output-lost", 409), Map.entry("wrong-state", 409),
                Map.entry("disk-full", 507), Map.entry("host-disk-full", 507), Map.entry("too-many", 429), Map.entry("guest-failed", 502),
                Map.entry("tier-unavailable", 503), Map.entry("host-unfit", 503), Map.entry("image-corrupt", 503), Map.entry("store-too-new", 503),
                Map.entry("node-unreachable", 503), Map.entry("runtime-failed", 500), Map.entry("internal", 500),
                Map.entry("idempotency-mismatch", 409), Map.entry("port-closed", 502), Map.entry("unsupported", 501), Map.entry("egress-unavailable", 503));
        assertThat(statuses).hasSameSizeAs(Failure.Code.values());
        for (Failure.Code code : Failure.Code.values()) {
            house.sandboxes.breakWith(new Failure(code, "it \"failed\"\n€", "mend it"));
            var answer = house.get("/v1/sandboxes").problem(statuses.getOrDefault(code.label(), 0), code.label());
            assertThat(answer.text("detail")).isEqualTo("it \"failed\"\n€");
            assertThat(answer.text("remedy")).isEqualTo("mend it");
        }
    }

    @Test
    void theDefaultsOfTheDocumentAreTheDefaultsOfTheCode() {
        assertThat(Limits.DEFAULT.memory().bytes()).isEqualTo(536_870_912);
        assertThat(Limits.DEFAULT.disk().bytes()).isEqualTo(1_073_741_824);
        assertThat(SandboxSpec.DEFAULT_LEASE).isEqualTo(Duration.ofSeconds(300));
    }
}
