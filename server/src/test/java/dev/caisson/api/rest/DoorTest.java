package dev.caisson.api.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.json.JsonObject;
import dev.caisson.policy.Quota;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

@Timeout(60)
class DoorTest {
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

    private List<Route> routes() {
        return RestDoor.routes(house.sandboxes, house.keys, new Quota(house.sandboxes, 1), house.tiers, House.WAYS, house.preview, RestDoor.HEARTBEAT, new RequestMetrics());
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(@Nullable Object value) {
        assertThat(value).isInstanceOf(Map.class);
        return (Map<String, Object>) Objects.requireNonNull(value);
    }

    private Map<String, Object> document() {
        String yaml = house.send(HttpRequest.newBuilder(house.at("/v1/openapi.yaml")).GET()).is(200).body();
        return map(new Load(LoadSettings.builder().build()).loadFromString(yaml));
    }

    @Test
    void theDocumentListsExactlyTheRoutesAndTheirQueryParameters() {
        Map<String, Object> document = document();
        assertThat(document.get("openapi")).isEqualTo("3.1.0");
        Map<String, Object> shared = map(map(document.get("components")).get("parameters"));
        var documented = new TreeSet<String>();
        map(document.get("paths")).forEach((path, item) -> map(item).forEach((method, operation) -> {
            if (Set.of("get", "put", "post", "delete").contains(method)) {
                var names = new TreeSet<String>();
                for (Object owner : List.of(item, operation)) {
                    if (map(owner).get("parameters") instanceof List<?> list) {
                        for (Object parameter : list) {
                            Map<String, Object> resolved = map(parameter).get("$ref") instanceof String reference ? map(shared.get(reference.substring(reference.lastIndexOf('/') + 1))) : map(parameter);
                            if ("query".equals(resolved.get("in"))) {
                                names.add(String.valueOf(resolved.get("name")));
                            }
                        }
                    }
                }
                documented.add(method.toUpperCase(java.util.Locale.ROOT) + " " + path + " " + names + (map(operation).containsKey("security") ? " open" : ""));
            }
        }));
        var served = new TreeSet<String>();
        routes().forEach(route -> served.add(route.method() + " " + route.path() + " " + new TreeSet<>(route.query()) + (route.open() ? " open" : "")));
        assertThat(documented).isEqualTo(served);
    }

    @Test
    void everyReferenceInTheDocumentLeadsSomewhere() {
        Map<String, Object> document = document();
        var references = new ArrayList<String>();
        collect(document, references);
        assertThat(references).isNotEmpty();
        for (String reference : references) {
            @Nullable Object at = document;
            for (String step : reference.substring(2).split("/")) {
                at = map(at).get(step);
                assertThat(at).as(reference).isNotNull();
            }
        }
        var operations = new HashMap<String, String>();
        map(document.get("paths")).forEach((path, item) -> map(item).forEach((method, operation) -> {
            if (operation instanceof Map<?, ?> one && one.get("operationId") instanceof String id) {
                assertThat(operations.put(id, path + method)).as(id).isNull();
            }
        }));
        assertThat(operations).hasSize(routes().size());
    }

    private static void collect(Object value, List<String> references) {
        if (value instanceof Map<?, ?> map) {
            map.forEach((key, element) -> {
                if ("$ref".equals(key)) {
                    references.add(String.valueOf(element));
                } else {
                    collect(element, references);
                }
            });
        } else if (value instanceof List<?> list) {
            list.forEach(element -> collect(element, references));
        }
    }

    @Test
    void theDocumentIsServedAsTheFileAndAsJson() throws IOException {
        byte[] file = java.nio.file.Files.readAllBytes(Path.of("../docs/openapi.yaml"));
        var yaml = house.send(HttpRequest.newBuilder(house.at("/v1/openapi.yaml")).GET()).is(200);
        assertThat(yaml.response().body()).isEqualTo(file);
        assertThat(yaml.header("Content-Type")).isEqualTo("application/yaml");
        var json = house.send(HttpRequest.newBuilder(house.at("/v1/openapi.json")).GET()).is(200);
        // A document deeper than our own reader takes, so read as YAML, which JSON is.
        assertThat(new Load(LoadSettings.builder().build()).loadFromString(json.body())).isEqualTo(document());
    }

    @Test
    void everyRouteButTheOpenOnesNeedsAKey() {
        for (Route route : routes()) {
            String path = route.path().replace("{id}", "sbaaaaaaaaaaaaaaaaaa").replace("{cid}", "c1").replace("{kid}", "k00000000").replace("{port}", "8080");
            var request = HttpRequest.newBuilder(house.at(path)).timeout(House.DEADLINE).method(route.method(), BodyPublishers.noBody());
            var answer = house.send(request);
            if (route.open()) {
                answer.is(200);
            } else {
                answer.problem(401, "unauthorized");
                assertThat(answer.header("WWW-Authenticate")).isEqualTo("Bearer");
            }
        }
    }

    @Test
    void onlyAValidKeyOpens() {
        for (String wrong : List.of("Bearer e2b_" + "0".repeat(40), "Bearer", "Bearer ", "Basic " + house.key, house.key, "Bearer " + house.key + "0", "Bearer " + house.key.substring(4))) {
            house.send(HttpRequest.newBuilder(house.at("/v1/keys")).header("Authorization", wrong)).problem(401, "unauthorized");
        }
        house.send(HttpRequest.newBuilder(house.at("/v1/keys")).header("Authorization", "bearer  " + house.key)).is(200);
    }

    @Test
    void keysAreMadeListedAndRevoked() {
        assertThat(house.post("/v1/keys", "{\"name\":\"ci\"}").is(201).header("Cache-Control")).isEqualTo("no-store");
        JsonObject made = house.post("/v1/keys", "{\"name\":\"second\"}").json();
        String text = made.text("key");
        assertThat(text).matches("e2b_[0-9a-f]{40}");
        house.send(HttpRequest.newBuilder(house.at("/v1/status")).header("Authorization", "Bearer " + text)).is(200);
        String list = house.get("/v1/keys").is(200).body();
        assertThat(list).contains("\"name\":\"ci\"", "\"name\":\"second\"").doesNotContain(text).doesNotContain(text.substring(4));
        JsonObject revoked = house.delete("/v1/keys/" + made.text("id")).is(200).json();
        assertThat(revoked.time("revoked_at")).isEqualTo(House.NOW);
        house.send(HttpRequest.newBuilder(house.at("/v1/status")).header("Authorization", "Bearer " + text)).problem(401, "unauthorized");
        house.delete("/v1/keys/k00000000").problem(404, "key-not-found");
        house.post("/v1/keys", "{\"name\":\"" + "x".repeat(65) + "\"}").problem(400, "out-of-range");
        house.send(house.request("/v1/keys").POST(BodyPublishers.noBody())).is(201);
    }

    @Test
    void whatIsNotThereAndWhatIsNotAskedThatWay() {
        for (String path : List.of("/", "/v1", "/v1/", "/v1/sandboxes/", "/v2/sandboxes", "/v1/sandboxes/x/y/z", "/favicon.ico", "/v1/SANDBOXES")) {
            house.get(path).problem(404, "no-such-route");
        }
        house.get("/v1/sandboxes//commands").problem(400, "bad-request");
        var answer = house.send(house.request("/v1/sandboxes").PUT(BodyPublishers.ofString("{}"))).problem(405, "method-not-allowed");
        assertThat(answer.header("Allow")).isEqualTo("GET, POST");
        house.send(house.request("/v1/health").method("OPTIONS", BodyPublishers.noBody())).problem(405, "method-not-allowed");
        assertThat(house.send(house.request("/v1/health").method("HEAD", BodyPublishers.noBody())).status()).isEqualTo(405);
    }

    @Test
    void badJsonIsRefused() {
        Map<String, String> bad = Map.ofEntries(
                Map.entry("{\"a\":1,\"a\":2}", "twice"), Map.entry("[".repeat(100_000), "nesting"), Map.entry("{\"cpus\":NaN}", "NaN"), Map.entry("\uFEFF{}", "byte order mark"),
                Map.entry("{} {}", "after the end"), Map.entry("[]", "an object"), Map.entry("{", "line 1"), Map.entry("{\"cpus\":1e999999999}", "too large"),
                Map.entry("{\"cpus\":1e99999999999}", "exponent"), Map.entry("{\"template\":\"\\ud800\"}", "surrogate"), Map.entry("nonsense", "line 1"), Map.entry("   ", "empty"));
        bad.forEach((json, says) -> assertThat(house.post("/v1/sandboxes", json).is(400).text("detail")).as(json.length() > 50 ? json.substring(0, 50) : json).contains(says));
        house.send(house.request("/v1/sandboxes").header("Content-Type", "application/json").POST(BodyPublishers.ofByteArray(new byte[] {'{', '"', (byte) 0xFF, '"', ':', '1', '}'}))).problem(400, "bad-request");
        house.send(house.request("/v1/sandboxes").header("Content-Type", "application/json").POST(BodyPublishers.ofByteArray("{}".getBytes(StandardCharsets.UTF_16LE)))).problem(400, "bad-request");
        assertThat(house.sandboxes.list()).isEmpty();
    }

    @Test
    void otherMediaTypesAreRefused() {
        for (String type : List.of("text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data; boundary=x", "nonsense")) {
            house.send(house.request("/v1/sandboxes").header("Content-Type", type).POST(BodyPublishers.ofString("{}"))).problem(415, "unsupported-media-type");
        }
        house.send(house.request("/v1/sandboxes").POST(BodyPublishers.ofString("{}"))).problem(415, "unsupported-media-type");
        house.send(house.request("/v1/sandboxes").header("Content-Type", "application/json").header("Content-Encoding", "gzip").POST(BodyPublishers.ofString("{}"))).problem(415, "unsupported-media-type");
        house.send(house.request("/v1/sandboxes").header("Content-Type", "Application/JSON; charset=utf-8").POST(BodyPublishers.ofString("{}"))).is(201);
    }

    @Test
    void hugeBodiesAreRefusedWithoutBeingRead() throws IOException {
        String huge = "{\"template\":\"" + "x".repeat(5 << 20) + "\"}";
        house.send(house.request("/v1/sandboxes").header("Content-Type", "application/json").POST(BodyPublishers.ofInputStream(() -> new java.io.ByteArrayInputStream(huge.getBytes(StandardCharsets.US_ASCII)))))
                .problem(413, "too-large");
        assertThat(raw("POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + house.key + "\r\nContent-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n")).contains(" 413 ");
    }

    @Test
    void hugeHeadersAndAddressesAreRefused() throws IOException {
        String head = raw("GET /v1/health HTTP/1.1\r\nHost: x\r\nX: " + "y".repeat(40_000) + "\r\n\r\n");
        assertThat(head).contains(" 431 ").contains("application/problem+json");
        String address = raw("GET /v1/health?" + "y".repeat(40_000) + " HTTP/1.1\r\nHost: x\r\n\r\n");
        assertThat(address).contains(" 414 ").contains("application/problem+json");
    }

    @Test
    void brokenHttpIsAProblemToo() throws IOException {
        for (String bad : List.of("GARBAGE\r\n\r\n", "GET /v1/health HTTP/1.1\r\n\r\n", "GET /v1/../../etc HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/%2e%2e/health HTTP/1.1\r\nHost: x\r\n\r\n",
                "GET /v1/keys?a%2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + house.key + "\r\n\r\n", "GET /v1/keys?a=%zz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + house.key + "\r\n\r\n",
                "GET /v1/sandboxes/a%2Fb HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/health HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "POST /v1/keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + house.key + "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")) {
            String answer = raw(bad);
            assertThat(answer).as(bad).containsPattern("^HTTP/1.1 4\\d\\d ").contains("application/problem+json").doesNotContain("Jetty").doesNotContain("<html");
        }
    }

    @Test
    void anIdleConnectionIsClosed() throws IOException {
        house.close();
        house = new House(directory, Duration.ofSeconds(10), Duration.ofMillis(200), 10);
        try (var socket = new Socket("127.0.0.1", house.server.port())) {
            socket.setSoTimeout((int) House.DEADLINE.toMillis());
            socket.getOutputStream().write("GET /v1/hea".getBytes(StandardCharsets.US_ASCII));
            // A started request may be told 408 first; either way the connection ends.
            while (socket.getInputStream().read() >= 0) {
                assertThat(socket.isConnected()).isTrue();
            }
        }
    }

    @Test
    void aHundredClientsAtOnceAreAllAnswered() throws Exception {
        try (var threads = java.util.concurrent.Executors.newVirtualThreadPerTaskExecutor()) {
            var id = house.sandbox();
            var answers = new ArrayList<java.util.concurrent.Future<String>>();
            for (int i = 0; i < 100; i++) {
                String word = "w" + i;
                answers.add(threads.submit(() -> house.post("/v1/sandboxes/" + id + "/commands?wait=true", "{\"argv\":[\"echo\",\"" + word + "\"]}").is(200).text("stdout")));
            }
            for (int i = 0; i < 100; i++) {
                assertThat(answers.get(i).get()).isEqualTo("w" + i + "\n");
            }
        }
    }

    /// Sends text as it is and reads the whole answer.
    private String raw(String request) throws IOException {
        try (var socket = new Socket("127.0.0.1", house.server.port())) {
            socket.setSoTimeout((int) House.DEADLINE.toMillis());
            OutputStream out = socket.getOutputStream();
            out.write(request.getBytes(StandardCharsets.ISO_8859_1));
            out.flush();
            var text = new StringBuilder();
            var in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
            int length = 0;
            for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {
                text.append(line).append('\n');
                if (line.toLowerCase(java.util.Locale.ROOT).startsWith("content-length:")) {
                    length = Integer.parseInt(line.substring(15).strip());
                }
            }
            for (int i = 0; i < length; i++) {
                text.append((char) in.read());
            }
            return text.toString();
        }
    }
}
