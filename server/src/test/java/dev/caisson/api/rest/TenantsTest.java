package dev.caisson.api.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.json.Forms;
import dev.caisson.policy.Quota;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxState;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What is another tenant's is not there, and what belongs to a sandbox's life by REST.
@Timeout(60)
class TenantsTest {
    private static final String UNKNOWN = "sbaaaaaaaaaaaaaaaaaa";
    /// What each route that takes a body needs to come as far as the sandbox.
    private static final Map<String, String> BODIES = Map.of(
            "/lease", "{\"lease_seconds\":60}", "/commands", "{\"argv\":[\"true\"]}", "/signal", "{\"signal\":9}", "/resize", "{\"columns\":80,\"rows\":24}",
            "/links", "{}", "/directory", "{\"path\":\"/x\"}", "/rename", "{\"from\":\"/x\",\"to\":\"/y\"}");

    @TempDir
    Path directory;

    private House house;
    private String stranger;

    @BeforeEach
    void open() {
        house = new House(directory);
        stranger = house.keys.create("stranger", "acme").text().secret();
    }

    @AfterEach
    void close() {
        house.close();
    }

    private House.Answer ask(String key, Route route, String id) {
        String path = route.path().replace("{id}", id).replace("{cid}", "c1").replace("{port}", "8080");
        if (route.path().contains("/files") && route.query().contains("path")) {
            path += "?path=/x";
        }
        var body = BODIES.entrySet().stream().filter(one -> route.path().endsWith(one.getKey())).findFirst();
        var request = house.requestWith(key, path);
        if (body.isPresent() && route.method().equals("POST")) {
            request.header("Content-Type", "application/json").method(route.method(), BodyPublishers.ofString(body.get().getValue()));
        } else {
            request.method(route.method(), BodyPublishers.noBody());
        }
        return house.send(request);
    }

    private List<Route> routesAboutOne() {
        return RestDoor.routes(house.sandboxes, house.keys, new Quota(house.sandboxes, 1), house.tiers, House.WAYS, house.preview, RestDoor.HEARTBEAT, new RequestMetrics()).stream().filter(route -> route.path().contains("{id}")).toList();
    }

    @Test
    void everyRouteTellsAStrangerWhatItTellsOfAnIdThatNeverWas() throws Exception {
        SandboxId living = house.sandbox();
        SandboxId ended = house.sandbox();
        house.sandboxes.run(living, CommandSpec.of("sleep", "60"));
        house.delete("/v1/sandboxes/" + ended).is(200);
        assertThat(routesAboutOne()).hasSizeGreaterThan(20);
        for (Route route : routesAboutOne()) {
            String code = route.path().startsWith("/v1/receipts") ? "receipt-not-found" : "sandbox-not-found";
            String never = ask(stranger, route, UNKNOWN).problem(404, code).body();
            for (SandboxId foreign : List.of(living, ended)) {
                // Twice: asked for the first time, and known.
                for (int i = 0; i < 2; i++) {
                    var answer = ask(stranger, route, foreign.value()).problem(404, code);
                    assertThat(answer.body()).as("%s %s", route.method(), route.path()).isEqualTo(never.replace(UNKNOWN, foreign.value()));
                }
            }
        }
        assertThat(house.sandboxes.get(living).state()).as("nothing was done to it").isEqualTo(SandboxState.RUNNING);
        assertThat(house.get("/v1/sandboxes/" + living).is(200).text("id")).isEqualTo(living.value());
        house.get("/v1/receipts/" + ended).is(200);
    }

    @Test
    void listsHoldWhatIsOnesOwn() {
        SandboxId mine = house.sandbox();
        house.delete("/v1/sandboxes/" + house.sandbox()).is(200);
        var theirs = house.send(house.requestWith(stranger, "/v1/sandboxes").POST(BodyPublishers.noBody())).is(201);
        assertThat(theirs.json().object("spec", Forms.SANDBOX_SPEC).tenant()).isEqualTo("acme");
        assertThat(house.send(house.requestWith(stranger, "/v1/sandboxes").GET()).is(200).body()).contains(theirs.text("id")).doesNotContain(mine.value());
        assertThat(house.get("/v1/sandboxes").is(200).body()).contains(mine.value()).doesNotContain(theirs.text("id"));
        assertThat(house.send(house.requestWith(stranger, "/v1/receipts").GET()).is(200).body()).isEqualTo("{\"receipts\":[]}");
        assertThat(house.get("/v1/receipts").is(200).body()).contains("\"tenant\":\"default\"");
    }

    @Test
    void nobodyMakesAnythingForAnother() {
        house.post("/v1/sandboxes", "{\"tenant\":\"acme\"}").problem(403, "not-permitted");
        house.post("/v1/keys", "{\"tenant\":\"acme\"}").problem(403, "not-permitted");
        house.post("/v1/keys", "{\"tenant\":\"Not One\"}").problem(403, "not-permitted");
        assertThat(house.post("/v1/keys", "{\"name\":\"x\"}").is(201).text("tenant")).isEqualTo("default");
        assertThat(house.get("/v1/keys").is(200).body()).doesNotContain("acme");
        String foreign = house.keys.list().stream().filter(key -> key.tenant().equals("acme")).findFirst().orElseThrow().id();
        house.delete("/v1/keys/" + foreign).problem(404, "key-not-found");
        assertThat(house.send(house.requestWith(stranger, "/v1/status").GET()).status()).isEqualTo(200);
    }

    @Test
    void pausesAndResumes() {
        SandboxId id = house.sandbox();
        String path = "/v1/sandboxes/" + id;
        assertThat(house.post(path + "/pause", "{}").is(200).text("state")).isEqualTo("paused");
        house.post(path + "/pause", "{}").problem(409, "wrong-state");
        house.post(path + "/resume", "{\"lease_seconds\":0}").problem(400, "out-of-range");
        house.post(path + "/resume", "{\"lease\":1}").problem(400, "bad-request");
        assertThat(house.post(path + "/resume", "{\"lease_seconds\":600}").is(200).text("state")).isEqualTo("running");
        house.send(house.request(path + "/resume").POST(BodyPublishers.noBody())).problem(409, "wrong-state");
    }

    @Test
    void samplesHaveBounds() {
        String path = "/v1/sandboxes/" + house.sandbox() + "/samples";
        assertThat(house.get(path).is(200).body()).contains("\"cpu_used_percent\":12.5", "\"memory_total_bytes\":536870912");
        assertThat(house.get(path + "?from=2999-01-01T00:00:00Z").is(200).body()).isEqualTo("{\"samples\":[]}");
        house.get(path + "?to=yesterday").problem(400, "bad-request");
    }

    @Test
    void anIdempotencyKeyMakesOne() {
        var first = keyed("job-1", "{}").is(201);
        assertThat(keyed("job-1", "{}").is(201).text("id")).isEqualTo(first.text("id"));
        assertThat(house.post("/v1/sandboxes", "{\"idempotency_key\":\"job-1\"}").is(201).text("id")).isEqualTo(first.text("id"));
        keyed("job-1", "{\"cpus\":2}").problem(409, "idempotency-mismatch");
        keyed("job-1", "{\"idempotency_key\":\"job-2\"}").problem(400, "bad-request");
        keyed("not one", "{}").problem(400, "bad-request");
        var theirs = house.send(house.requestWith(stranger, "/v1/sandboxes").header("Idempotency-Key", "job-1").POST(BodyPublishers.noBody())).is(201);
        assertThat(theirs.text("id")).isNotEqualTo(first.text("id"));
    }

    private House.Answer keyed(String key, String json) {
        return house.send(house.request("/v1/sandboxes").header("Idempotency-Key", key).header("Content-Type", "application/json").POST(BodyPublishers.ofString(json)));
    }
}
