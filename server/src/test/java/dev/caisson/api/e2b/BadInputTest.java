package dev.caisson.api.e2b;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.SandboxId;
import java.io.ByteArrayOutputStream;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What no published client sends: the documented error, nothing of how the server is made, and sandboxes that go on.
@Timeout(60)
class BadInputTest {
    private static final String UNKNOWN = "sbaaaaaaaaaaaaaaaaaa";

    @TempDir
    Path directory;

    private House house;
    private SandboxId id;
    private SandboxId neighbour;

    @BeforeEach
    void open() {
        house = new House(directory);
        id = house.sandbox();
        neighbour = house.sandbox();
    }

    /// Whatever a test sent, both sandboxes still do as they are told.
    @AfterEach
    void close() {
        for (SandboxId each : List.of(id, neighbour)) {
            var said = house.stream(each, "process.Process/Start", House.message("{\"process\":{\"cmd\":\"@true\"}}")).messages();
            assertThat(said.getLast()).isEqualTo("{}");
            assertThat(said).anyMatch(message -> message.contains("\"exited\":true"));
        }
        house.close();
    }

    @Test
    void withoutAValidKeyThereIsNothing() {
        String wrong = "e2b_" + "f".repeat(40);
        for (String path : List.of("/v2/sandboxes", "/sandboxes/" + id, "/sandboxes/" + UNKNOWN, "/sandboxes/metrics", "/templates/aliases/base", "/sandboxes/" + id + "/nowhere")) {
            assertThat(house.send(house.request(path)).refused(401)).contains("X-API-KEY");
            assertThat(house.send(house.control(wrong, path)).refused(401)).doesNotContain(wrong);
        }
        assertThat(house.send(house.request("/v2/sandboxes").POST(BodyPublishers.ofString("no json"))).refused(401)).isNotEmpty();
        assertThat(house.send(house.request("/sandboxes/" + id).header("Authorization", "Bearer " + house.key)).is(200).header("Content-Type")).isEqualTo("application/json");
        // A key of the control plane opens no sandbox, and a sandbox's token no control plane.
        house.send(house.routed(id, "/envs").header("X-API-KEY", house.key)).refused(401);
        house.send(house.control(house.token(id), "/v2/sandboxes")).refused(401);
    }

    @Test
    void anotherTenantsSandboxIsAnsweredLikeOneThatNeverWas() {
        String stranger = house.keys.create("stranger", "acme").text().secret();
        SandboxId own = house.sandbox(stranger);
        var routes = List.of(
                "GET /sandboxes/ID", "DELETE /sandboxes/ID", "POST /v2/sandboxes/ID/connect {\"timeout\":60}", "POST /sandboxes/ID/connect {\"timeout\":60}", "POST /sandboxes/ID/resume {}",
                "POST /sandboxes/ID/pause {}", "POST /sandboxes/ID/timeout {\"timeout\":60}", "POST /sandboxes/ID/refreshes {\"duration\":60}", "GET /sandboxes/ID/metrics",
                "GET /v2/sandboxes/ID/logs", "GET /sandboxes/ID/logs", "POST /sandboxes/ID/snapshots {}");
        for (String route : routes) {
            String[] words = route.split(" ", 3);
            String body = words.length < 3 ? "" : words[2];
            var foreign = house.send(house.control(stranger, words[1].replace("ID", id.value())).method(words[0], BodyPublishers.ofString(body)));
            var never = house.send(house.control(stranger, words[1].replace("ID", UNKNOWN)).method(words[0], BodyPublishers.ofString(body)));
            foreign.refused(404);
            assertThat(foreign.body()).as(route).isEqualTo(never.body().replace(UNKNOWN, id.value()));
            assertThat(foreign.response().headers().map().keySet()).isEqualTo(never.response().headers().map().keySet());
        }
        assertThat(house.send(house.control(stranger, "/v2/sandboxes")).is(200).body()).contains(own.value()).doesNotContain(id.value());
        house.send(house.control(stranger, "/sandboxes/metrics?sandbox_ids=" + id)).is(200);
        house.send(house.control(stranger, "/sandboxes/" + own).DELETE()).is(204);
    }

    @ParameterizedTest
    @ValueSource(strings = {"x", "..", "%2e%2e%2f", "%00", "sbaaaaaaaaaaaaaaaaaaa", "SBAAAAAAAAAAAAAAAAAA", "sb%0d%0aaaaaaaaaaaaaaaaa", "%ff"})
    void whatCannotBeAnIdIsNotFound(String text) {
        var answer = house.send(house.control("/sandboxes/" + text + "/metrics"));
        assertThat(answer.status()).isIn(400, 404, House.ELSEWHERE);
        assertThat(answer.header("Set-Cookie")).isEmpty();
        var data = house.send(house.request("/health").header("E2b-Sandbox-Id", text.replace("%", "-")).header("E2b-Sandbox-Port", "49983"));
        assertThat(data.refused(502)).contains("was not found");
    }

    @Test
    void bodiesOfTheControlPlane() {
        for (String body : List.of("no json", "[1]", "\"text\"", "{\"templateID\":7}", "{\"timeout\":\"soon\"}", "{\"timeout\":0}", "{\"timeout\":-1}", "{\"timeout\":1e99}", "{\"timeout\":86401}", "{\"metadata\":{\"a\":1}}",
                "{\"envVars\":[]}", "{\"network\":{\"allowPublicTraffic\":\"yes\"}}", "[".repeat(5_000), "{\"a\":" + "{\"a\":".repeat(5_000))) {
            house.send(house.control("/v2/sandboxes").POST(BodyPublishers.ofString(body))).refused(400);
        }
        assertThat(house.send(house.control("/v2/sandboxes").POST(BodyPublishers.ofString("{\"templateID\":\"../../etc\"}"))).refused(404)).contains("not found");
        house.send(house.control("/v2/sandboxes").POST(BodyPublishers.ofByteArray(new byte[Call.MAX_JSON_BYTES + 1]))).refused(413);
        house.send(house.control("/v2/sandboxes").PUT(BodyPublishers.noBody())).refused(405);
        house.send(house.control("/v2/sandboxes?limit=0")).refused(400);
        house.send(house.control("/v2/sandboxes?nextToken=%00forged")).refused(400);
        house.send(house.control("/v2/sandboxes?metadata=%ff")).refused(400);
        house.send(house.control("/sandboxes/" + id + "/timeout").POST(BodyPublishers.ofString("{}"))).refused(400);
        house.send(house.control("/sandboxes/nowhere/at/all")).refused(404);
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "65536", "02280", "-1", "+1", "1e3", "0x50", "80,81", "٣٣", "99999999999999999999", "49983 49984"})
    void portsThatAreNone(String port) throws Exception {
        String answer = house.raw("GET /health HTTP/1.1\r\nHost: localhost\r\nE2b-Sandbox-Id: " + id + "\r\nE2b-Sandbox-Port: " + port + "\r\nConnection: close\r\n\r\n");
        assertThat(answer).startsWith("HTTP/1.1 400 ").contains("not a port");
    }

    @Test
    void routingHeadersThatAreMissingOrThereTwice() throws Exception {
        assertThat(house.send(house.request("/health").header("E2b-Sandbox-Id", id.value())).refused(400)).isEqualTo("missing header E2b-Sandbox-Port");
        assertThat(house.send(house.request("/health").header("E2b-Sandbox-Port", "49983")).refused(400)).isEqualTo("missing header E2b-Sandbox-Id");
        String twice = house.raw("GET /health HTTP/1.1\r\nHost: localhost\r\nE2b-Sandbox-Id: " + id + "\r\nE2b-Sandbox-Id: " + neighbour + "\r\nE2b-Sandbox-Port: 49983\r\nConnection: close\r\n\r\n");
        assertThat(twice).startsWith("HTTP/1.1 400 ").contains("more than once");
        // The host name counts more, and names a sandbox that is not there.
        String host = house.raw("GET /health HTTP/1.1\r\nHost: 49983-" + UNKNOWN + ".box.test\r\nE2b-Sandbox-Id: " + id + "\r\nE2b-Sandbox-Port: 49983\r\nConnection: close\r\n\r\n");
        assertThat(host).startsWith("HTTP/1.1 502 ").contains("was not found");
    }

    @Test
    void tokensOfOthers() {
        for (String token : List.of("", "x", house.token(neighbour), house.key, house.tokens.token(id, dev.caisson.policy.SandboxTokens.Purpose.TRAFFIC), house.token(id) + "x")) {
            for (String path : List.of("/envs", "/metrics", "/files?path=/x")) {
                var request = house.routed(id, path);
                house.send(token.isEmpty() ? request : request.header("X-Access-Token", token)).refused(401);
            }
            var rpc = house.routed(id, "/process.Process/List").header("Content-Type", "application/json").POST(BodyPublishers.ofString("{}"));
            house.send(token.isEmpty() ? rpc : rpc.header("X-Access-Token", token)).refused(401);
        }
        house.send(house.data(id, "/init").POST(BodyPublishers.ofString("{}"))).refused(404);
        house.send(house.data(id, "/freeze").POST(BodyPublishers.noBody())).refused(404);
        house.send(house.data(id, "/process.Process/Nothing").POST(BodyPublishers.noBody())).refused(404);
    }

    @Test
    void envelopesThatAreNone() {
        String start = "process.Process/Start";
        assertThat(house.stream(id, start, new byte[0]).broken("invalid_argument")).contains("no message");
        assertThat(house.stream(id, start, new byte[] {0, 0, 0}).refused(400)).contains("broke off");
        assertThat(house.stream(id, start, new byte[] {0, 0, 0, 0, 9, '{'}).refused(400)).contains("broke off");
        assertThat(house.stream(id, start, new byte[] {1, 0, 0, 0, 2, '{', '}'}).broken("internal")).contains("compress");
        assertThat(house.stream(id, start, new byte[] {2, 0, 0, 0, 2, '{', '}'}).broken("invalid_argument")).contains("flags");
        assertThat(house.stream(id, start, new byte[] {0, 0x7F, -1, -1, -1, '{'}).broken("resource_exhausted")).contains("larger");
        assertThat(house.stream(id, start, new byte[] {0, -1, -1, -1, -1, '{'}).broken("resource_exhausted")).contains("larger");
        for (String json : List.of("[]", "{", "{\"process\":7}", "{\"process\":{}}", "{\"process\":{\"cmd\":\"@true\",\"args\":\"x\"}}", "{\"process\":{\"cmd\":\"@true\",\"envs\":{\"a\":1}}}",
                "{\"process\":{\"cmd\":\"@true\"},\"pty\":{}}", "{\"process\":{\"cmd\":\"@true\"},\"pty\":{\"size\":{\"cols\":-1,\"rows\":1}}}", "{\"process\":{\"cmd\":\"@true\",\"cwd\":\"a\\u0000b\"}}",
                "{\"process\":{\"cmd\":\"@true\",\"cwd\":\"~other\"}}", "[".repeat(5_000))) {
            assertThat(house.stream(id, start, House.message(json)).broken("invalid_argument")).as(json).isNotEmpty();
        }
        var two = new ByteArrayOutputStream();
        two.writeBytes(House.message("{\"process\":{\"cmd\":\"@true\"}}"));
        two.writeBytes(House.message("{}"));
        assertThat(house.stream(id, start, two.toByteArray()).broken("invalid_argument")).contains("more than one");
        assertThat(house.stream(id, "process.Process/StreamInput", House.message("{\"data\":{\"input\":{\"stdin\":\"eA==\"}}}")).broken("invalid_argument")).contains("first message");
        assertThat(house.stream(id, start, House.message("{\"process\":{\"cmd\":\"no-such-program-anywhere\"}}")).broken("invalid_argument")).isNotEmpty();
    }

    /// A message whose length is honest and too much is refused by its length: nobody waits for the rest of it.
    @Test
    void aHugeMessageIsRefusedByItsLength() throws Exception {
        try (Socket socket = house.connect()) {
            String head = "POST /process.Process/Start HTTP/1.1\r\nHost: localhost\r\nE2b-Sandbox-Id: " + id + "\r\nE2b-Sandbox-Port: 49983\r\nX-Access-Token: " + house.token(id)
                    + "\r\nContent-Type: application/connect+json\r\nContent-Length: 1073741829\r\n\r\n";
            socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
            socket.getOutputStream().write(new byte[] {0, 0x40, 0, 0, 0, '{'});
            assertThat(new String(socket.getInputStream().readNBytes(16), StandardCharsets.US_ASCII)).startsWith("HTTP/1.1 200");
        }
    }

    @Test
    void contentTypesAndCompressionsThatAreNotKnown() {
        String json = "{\"path\":\"/\"}";
        for (String type : List.of("application/connect+json", "application/proto", "text/plain", "application/grpc", "application/json, application/json")) {
            house.send(house.data(id, "/filesystem.Filesystem/Stat").header("Content-Type", type).POST(BodyPublishers.ofString(json))).is(415);
        }
        house.send(house.data(id, "/filesystem.Filesystem/Stat").POST(BodyPublishers.ofString(json))).is(415);
        for (String type : List.of("application/json", "application/connect+proto", "application/grpc-web")) {
            house.send(house.data(id, "/process.Process/Start").header("Content-Type", type).POST(BodyPublishers.ofString(json))).is(415);
        }
        house.send(house.data(id, "/filesystem.Filesystem/Stat").header("Content-Type", "application/json").header("Content-Encoding", "gzip").POST(BodyPublishers.ofString(json))).failed(501, "unimplemented");
        house.send(house.data(id, "/filesystem.Filesystem/Stat").header("Content-Type", "application/json").header("Connect-Protocol-Version", "2").POST(BodyPublishers.ofString(json))).failed(400, "invalid_argument");
        house.send(house.data(id, "/process.Process/Start").header("Content-Type", "application/connect+json").header("Connect-Content-Encoding", "br").POST(BodyPublishers.ofByteArray(House.message("{}")))).broken("unimplemented");
        house.send(house.data(id, "/process.Process/Start").header("Content-Type", "application/connect+json").header("Connect-Timeout-Ms", "soon").POST(BodyPublishers.ofByteArray(House.message("{\"process\":{\"cmd\":\"@true\"}}"))))
                .broken("invalid_argument");
        house.send(house.data(id, "/filesystem.Filesystem/Stat")).refused(405);
        assertThat(house.unary(id, "filesystem.Filesystem/Stat", json).is(200).body()).contains("FILE_TYPE_DIRECTORY");
    }

    @Test
    void processesThatDoNotExist() {
        for (String method : List.of("Update", "SendInput", "SendSignal", "CloseStdin")) {
            String rest = method.equals("SendInput") ? ",\"input\":{\"stdin\":\"\"}" : method.equals("SendSignal") ? ",\"signal\":\"SIGNAL_SIGKILL\"" : "";
            assertThat(house.unary(id, "process.Process/" + method, "{\"process\":{\"pid\":999999}" + rest + "}").failed(404, "not_found")).isEqualTo("process with pid 999999 not found");
            house.unary(id, "process.Process/" + method, "{\"process\":{\"tag\":\"none\"}" + rest + "}").failed(404, "not_found");
            house.unary(id, "process.Process/" + method, "{" + (rest.isEmpty() ? "" : rest.substring(1)) + "}").failed(400, "invalid_argument");
        }
        assertThat(house.stream(id, "process.Process/Connect", House.message("{\"process\":{\"pid\":4294967295}}")).broken("not_found")).contains("4294967295");
        house.unary(id, "process.Process/SendSignal", "{\"process\":{\"pid\":4294967296},\"signal\":9}").failed(400, "invalid_argument");
        // A neighbour's process is none of ours.
        int pid = start(neighbour, "sleep", "60");
        house.unary(id, "process.Process/SendSignal", "{\"process\":{\"pid\":" + pid + "},\"signal\":9}").failed(404, "not_found");
        house.unary(neighbour, "process.Process/SendSignal", "{\"process\":{\"pid\":" + pid + "},\"signal\":2}").failed(501, "unimplemented");
        house.unary(neighbour, "process.Process/SendInput", "{\"process\":{\"pid\":" + pid + "},\"input\":{\"stdin\":\"!!\"}}").failed(400, "invalid_argument");
        house.unary(neighbour, "process.Process/SendInput", "{\"process\":{\"pid\":" + pid + "},\"input\":{\"pty\":\"eA==\"}}").failed(500, "internal");
        house.unary(neighbour, "process.Process/SendSignal", "{\"process\":{\"pid\":" + pid + "},\"signal\":9}").is(200);
    }

    private int start(SandboxId in, String... argv) {
        house.sandboxes.run(in, CommandSpec.of(argv));
        return house.sandboxes.commands(in).getLast().pid();
    }

    @Test
    void watchersThatDoNotExist() {
        house.unary(id, "filesystem.Filesystem/GetWatcherEvents", "{\"watcherId\":\"w999\"}").failed(404, "not_found");
        String watcher = house.unary(neighbour, "filesystem.Filesystem/CreateWatcher", "{\"path\":\"/\"}").is(200).json().text("watcherId");
        house.unary(id, "filesystem.Filesystem/GetWatcherEvents", "{\"watcherId\":\"" + watcher + "\"}").failed(404, "not_found");
        house.unary(id, "filesystem.Filesystem/RemoveWatcher", "{\"watcherId\":\"" + watcher + "\"}").failed(404, "not_found");
        house.unary(neighbour, "filesystem.Filesystem/RemoveWatcher", "{\"watcherId\":\"" + watcher + "\"}").is(200);
        house.unary(id, "filesystem.Filesystem/CreateWatcher", "{\"path\":\"/nowhere\"}").failed(404, "not_found");
        for (int i = 0; i < Watchers.MAX_PER_SANDBOX; i++) {
            house.unary(id, "filesystem.Filesystem/CreateWatcher", "{\"path\":\"/\"}").is(200);
        }
        house.unary(id, "filesystem.Filesystem/CreateWatcher", "{\"path\":\"/\"}").failed(429, "resource_exhausted");
        house.unary(neighbour, "filesystem.Filesystem/CreateWatcher", "{\"path\":\"/\"}").is(200);
    }

    @Test
    void authorizationsThatAreNotBasic() {
        String call = "{\"path\":\"/\"}";
        for (String text : List.of("Basic !!!", "Basic A")) {
            house.send(house.data(id, "/filesystem.Filesystem/Stat").header("Content-Type", "application/json").header("Authorization", text).POST(BodyPublishers.ofString(call))).failed(401, "unauthenticated");
        }
        String named = Base64.getEncoder().encodeToString("user:".getBytes(StandardCharsets.UTF_8));
        house.send(house.data(id, "/filesystem.Filesystem/Stat").header("Content-Type", "application/json").header("Authorization", "Basic " + named).POST(BodyPublishers.ofString(call))).is(200);
    }
}
