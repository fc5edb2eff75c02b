package dev.caisson.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class SandboxTest {
    private static final byte[] ENDED = FramesTest.event("{\"event\":\"ended\",\"result\":{\"outcome\":\"exited\",\"status\":3,\"wall_ms\":12.5,\"cpu_ms\":7}}");
    private static final byte[] STARTED = FramesTest.event("{\"event\":\"started\",\"id\":\"c1\",\"pid\":7}");

    /// Answers all that every test needs; what a test is about comes from `special`, which answers true when it did.
    private static ScriptedServer server(Special special) throws IOException {
        return new ScriptedServer((request, out) -> {
            if (special.answer(request, out)) {
                return;
            }
            switch (request.line().substring(0, request.line().indexOf(' '))) {
                case "POST" -> ScriptedServer.json(out, 201, ScriptedServer.SANDBOX);
                case "DELETE" -> ScriptedServer.json(out, 200, ScriptedServer.RECEIPT);
                default -> ScriptedServer.json(out, 404, "{\"code\":\"sandbox-not-found\",\"status\":404,\"detail\":\"no sandbox\",\"remedy\":\"look\"}");
            }
        });
    }

    private interface Special {
        boolean answer(ScriptedServer.Request request, OutputStream out) throws IOException;
    }

    private static boolean isCommand(ScriptedServer.Request request) {
        return request.line().startsWith("POST ") && request.line().contains("/commands ");
    }

    @Test
    void runsACommandAndBringsTheReceipt() throws Exception {
        try (var server = server((request, out) -> {
                    if (!isCommand(request)) {
                        return false;
                    }
                    ScriptedServer.streamHead(out);
                    ScriptedServer.chunk(out, STARTED);
                    ScriptedServer.chunk(out, FramesTest.frame(1, "1\n".getBytes(StandardCharsets.UTF_8)));
                    ScriptedServer.chunk(out, ENDED);
                    ScriptedServer.chunk(out, new byte[0]);
                    return true;
                });
                var caisson = server.connect()) {
            Sandbox kept;
            try (var sandbox = caisson.create(SandboxOptions.defaults().withTier(Tier.GVISOR).withDriver(Driver.GVISOR).withCpus(0.5).withLease(Duration.ofSeconds(90)))) {
                var result = sandbox.run(CommandOptions.of("python3", "-c", "print(1)").withEnv(Map.of("A", "b")).withTimeout(Duration.ofMillis(1500)));
                assertThat(result.stdoutText()).isEqualTo("1\n");
                assertThat(result.status()).isEqualTo(3);
                assertThat(result.wall()).isEqualTo(Duration.ofNanos(12_500_000));
                kept = sandbox;
            }
            var receipt = kept.receipt().orElseThrow();
            assertThat(kept.info().driver()).as("of before drivers had names").isEmpty();
            assertThat(receipt.driver()).hasValue(Driver.QEMU_TCG);
            assertThat(receipt.denied()).containsEntry("network", 3L);
            assertThat(receipt.usage().cpu()).isEqualTo(Duration.ofNanos(12_500_000));
            assertThat(server.requests.get(0).text()).isEqualTo("{\"cpus\":0.5,\"driver\":\"gvisor\",\"lease_seconds\":90,\"tier\":\"gvisor\"}");
            assertThat(server.requests.get(0).head()).contains("Authorization: Bearer e2b_test");
            assertThat(server.requests.get(1).text()).isEqualTo("{\"argv\":[\"python3\",\"-c\",\"print(1)\"],\"batched\":true,\"env\":{\"A\":\"b\"},\"timeout_ms\":1500}");
            assertThat(server.requests.get(1).head()).contains("Accept: application/vnd.caisson.stream");
        }
    }

    /// The stream is cut at places of a seed's choosing, in the middle of frames and of chunks, with and without a word; both outputs must still be whole.
    @Test
    void takesABrokenStreamUpAtTheByte() throws Exception {
        for (long seed = 1; seed <= 20; seed++) {
            var random = new Random(seed);
            byte[] stdout = new byte[100_000 + random.nextInt(300_000)];
            byte[] stderr = new byte[random.nextInt(50_000)];
            random.nextBytes(stdout);
            random.nextBytes(stderr);
            var breaks = new AtomicInteger(4);
            try (var server = server((request, out) -> {
                        int out0 = 0;
                        int err0 = 0;
                        if (request.line().contains("/stream?")) {
                            out0 = Integer.parseInt(request.line().replaceAll(".*stdout_offset=([0-9]+).*", "$1"));
                            err0 = Integer.parseInt(request.line().replaceAll(".*stderr_offset=([0-9]+).*", "$1"));
                            if (breaks.get() == 2) {
                                breaks.decrementAndGet();
                                ScriptedServer.json(out, 503, "{\"code\":\"node-unreachable\",\"status\":503,\"detail\":\"the node is away\",\"remedy\":\"wait\"}");
                                return true;
                            }
                        } else if (!isCommand(request)) {
                            return false;
                        }
                        byte[] all = stream(stdout, out0, stderr, err0, random);
                        boolean last = breaks.getAndDecrement() <= 0;
                        var cut = last ? all : Arrays.copyOf(all, random.nextInt(all.length));
                        if (!last && random.nextInt(4) == 0) {
                            cut = concat(Arrays.copyOf(all, STARTED.length), FramesTest.event("{\"event\":\"problem\",\"problem\":{\"code\":\"node-unreachable\",\"detail\":\"gone\"}}"));
                        }
                        ScriptedServer.streamHead(out);
                        for (int at = 0; at < cut.length; ) {
                            int count = Math.min(cut.length - at, 1 + random.nextInt(70_000));
                            ScriptedServer.chunk(out, Arrays.copyOfRange(cut, at, at + count));
                            at += count;
                        }
                        if (!last) {
                            throw new IOException("cut");
                        }
                        ScriptedServer.chunk(out, new byte[0]);
                        return true;
                    });
                    var caisson = server.connect();
                    var sandbox = caisson.create(SandboxOptions.defaults());
                    var command = sandbox.start(CommandOptions.of("x"))) {
                var gotOut = new ByteArrayOutputStream();
                var gotErr = new ByteArrayOutputStream();
                var end = command.await(bytes -> put(bytes, gotOut), bytes -> put(bytes, gotErr));
                assertThat(end.status()).isEqualTo(3);
                assertThat(gotOut.toByteArray()).as("seed " + seed).isEqualTo(stdout);
                assertThat(gotErr.toByteArray()).as("seed " + seed).isEqualTo(stderr);
                assertThat(command.reattached()).isGreaterThanOrEqualTo(3);
                assertThat(command.stdoutBytes()).isEqualTo(stdout.length);
            }
        }
    }

    private static byte[] stream(byte[] stdout, int out0, byte[] stderr, int err0, Random random) {
        var all = new ByteArrayOutputStream();
        all.writeBytes(STARTED);
        int out = out0;
        int err = err0;
        while (out < stdout.length || err < stderr.length) {
            if (random.nextBoolean() && out < stdout.length || err >= stderr.length) {
                int to = Math.min(stdout.length, out + 1 + random.nextInt(65_536));
                all.writeBytes(FramesTest.frame(1, Arrays.copyOfRange(stdout, out, to)));
                out = to;
            } else {
                int to = Math.min(stderr.length, err + 1 + random.nextInt(65_536));
                all.writeBytes(FramesTest.frame(2, Arrays.copyOfRange(stderr, err, to)));
                err = to;
            }
        }
        all.writeBytes(ENDED);
        return all.toByteArray();
    }

    private static byte[] concat(byte[] a, byte[] b) {
        return ByteBuffer.allocate(a.length + b.length).put(a).put(b).array();
    }

    private static void put(ByteBuffer bytes, ByteArrayOutputStream into) {
        into.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
    }

    @Test
    void saysThatOutputWasLostInsteadOfSkippingIt() throws Exception {
        try (var server = server((request, out) -> {
                    if (request.line().contains("/stream?")) {
                        ScriptedServer.json(out, 409, "{\"code\":\"output-lost\",\"status\":409,\"detail\":\"too far behind\",\"remedy\":\"run it again\"}");
                        return true;
                    }
                    if (isCommand(request)) {
                        ScriptedServer.streamHead(out);
                        ScriptedServer.chunk(out, STARTED);
                        throw new IOException("cut");
                    }
                    return false;
                });
                var caisson = server.connect();
                var sandbox = caisson.create(SandboxOptions.defaults())) {
            assertThatThrownBy(() -> sandbox.run("x")).isInstanceOfSatisfying(CaissonException.class, e -> {
                assertThat(e.code()).isEqualTo("output-lost");
                assertThat(e.status()).isEqualTo(409);
                assertThat(e.remedy()).isEqualTo("run it again");
            });
        }
    }

    @Test
    void sendsInputAndStopsWhenTheCommandEnds() throws Exception {
        var gotInput = new CountDownLatch(1);
        byte[] input = new byte[300_000];
        new Random(7).nextBytes(input);
        try (var server = server((request, out) -> {
                    if (request.line().contains("/stdin?end=true")) {
                        assertThat(request.body()).isEqualTo(input);
                        gotInput.countDown();
                        out.write("HTTP/1.1 204 No Content\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1));
                        return true;
                    }
                    if (isCommand(request)) {
                        ScriptedServer.streamHead(out);
                        ScriptedServer.chunk(out, STARTED);
                        out.flush();
                        await(gotInput);
                        ScriptedServer.chunk(out, ENDED);
                        ScriptedServer.chunk(out, new byte[0]);
                        return true;
                    }
                    return false;
                });
                var caisson = server.connect();
                var sandbox = caisson.create(SandboxOptions.defaults());
                var command = sandbox.start(CommandOptions.of("cat").withInput())) {
            var sender = Thread.ofVirtual().start(() -> command.sendInput(new ByteArrayInputStream(input)));
            assertThat(command.await(Output.NONE, Output.NONE).status()).isEqualTo(3);
            assertThat(sender.join(Duration.ofSeconds(10))).isTrue();
        }
    }

    private static void await(CountDownLatch latch) throws IOException {
        try {
            if (!latch.await(20, TimeUnit.SECONDS)) {
                throw new IOException("no input came");
            }
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    @Test
    void tellsAFailingOutputFromABrokenStream() throws Exception {
        try (var server = server((request, out) -> {
                    if (!isCommand(request)) {
                        return false;
                    }
                    ScriptedServer.streamHead(out);
                    ScriptedServer.chunk(out, FramesTest.frame(1, new byte[10]));
                    return true;
                });
                var caisson = server.connect();
                var sandbox = caisson.create(SandboxOptions.defaults());
                var command = sandbox.start(CommandOptions.of("x"))) {
            assertThatThrownBy(() -> command.await(_ -> {
                throw new IOException("the reader went away");
            }, Output.NONE)).isInstanceOf(IOException.class).hasMessage("the reader went away");
            assertThat(server.requests).noneMatch(request -> request.line().contains("/stream?"));
        }
    }

    @Test
    void carriesFilesBothWays() throws Exception {
        byte[] content = new byte[500_000];
        new Random(3).nextBytes(content);
        var stored = new ByteArrayOutputStream();
        String file = "{\"name\":\"b c\",\"path\":\"/a/b c\",\"kind\":\"file\",\"size_bytes\":500000,\"mode\":\"0755\",\"owner\":\"user\",\"group\":\"user\",\"modified_at\":\"2026-01-01T00:00:00Z\"}";
        try (var server = server((request, out) -> {
                    if (request.line().startsWith("PUT ")) {
                        stored.writeBytes(request.body());
                        ScriptedServer.json(out, 200, file);
                    } else if (request.line().contains("/files/list")) {
                        ScriptedServer.json(out, 200, "{\"entries\":[" + file + "]}");
                    } else if (request.line().startsWith("GET ") && request.line().contains("/files?")) {
                        ScriptedServer.whole(out, 200, "application/octet-stream", stored.toByteArray());
                    } else {
                        return false;
                    }
                    return true;
                });
                var caisson = server.connect();
                var sandbox = caisson.create(SandboxOptions.defaults())) {
            var files = sandbox.files().as("root");
            assertThat(files.write("/a/b c", 0755, new ByteArrayInputStream(content), -1).mode()).isEqualTo(0755);
            assertThat(files.readAll("/a/b c")).isEqualTo(content);
            assertThat(files.list("/a", 1)).singleElement().satisfies(each -> assertThat(each.size()).isEqualTo(500_000));
            assertThat(server.requests).anyMatch(request -> request.line().contains("?path=%2Fa%2Fb%20c&user=root&mode=0755"));
        }
    }

    @Test
    void neverTakesACutFileForAWholeOne() throws Exception {
        try (var server = server((request, out) -> {
                    if (!request.line().contains("/files?")) {
                        return false;
                    }
                    out.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".getBytes(StandardCharsets.ISO_8859_1));
                    throw new IOException("cut");
                });
                var caisson = server.connect();
                var sandbox = caisson.create(SandboxOptions.defaults())) {
            assertThatThrownBy(() -> sandbox.files().readAll("x")).isInstanceOfSatisfying(CaissonException.class, e -> assertThat(e.code()).isEqualTo("unreachable"));
        }
    }

    @Test
    void readsTheRefusalOfARequestWhoseBodyNobodyRead() throws Exception {
        try (var server = new ScriptedServer((request, out) -> {
                    ScriptedServer.json(out, 201, ScriptedServer.SANDBOX);
                });
                var caisson = server.connect()) {
            assertThat(caisson.create(SandboxOptions.defaults()).id()).startsWith("sb");
        }
        try (var caisson = Caisson.connect("http://127.0.0.1:1", "e2b_x")) {
            assertThatThrownBy(caisson::checkHealth).isInstanceOfSatisfying(CaissonException.class, e -> assertThat(e.code()).isEqualTo("unreachable"));
        }
    }

    @Test
    void usesAConnectionAgainButNotAClosedOne() throws Exception {
        var connections = new AtomicInteger();
        try (var server = server((request, out) -> {
                    if (request.line().contains("/status")) {
                        ScriptedServer.json(
                                out, 200, "{\"alive\":1,\"created\":2,\"deleted\":1,\"failed\":0,\"leaked\":0,\"tiers\":[\"gvisor\"],\"resident_memory_bytes\":" + connections.incrementAndGet() + "}");
                        if (connections.get() == 3) {
                            throw new IOException("closed after the answer");
                        }
                        return true;
                    }
                    return false;
                });
                var caisson = server.connect()) {
            for (int i = 1; i <= 6; i++) {
                assertThat(caisson.status().residentMemory()).isEqualTo(i);
            }
        }
    }

    @Test
    void saysWhatIsNotACaisson() throws Exception {
        try (var server = new ScriptedServer((_, out) -> out.write("SSH-2.0-x\r\n".getBytes(StandardCharsets.ISO_8859_1))); var caisson = server.connect()) {
            assertThatThrownBy(caisson::checkHealth).isInstanceOfSatisfying(CaissonException.class, e -> assertThat(e.code()).isEqualTo("bad-answer"));
        }
        try (var server = new ScriptedServer((_, out) -> ScriptedServer.whole(out, 502, "text/html", "<h1>".getBytes(StandardCharsets.UTF_8))); var caisson = server.connect()) {
            assertThatThrownBy(caisson::checkHealth).isInstanceOfSatisfying(CaissonException.class, e -> assertThat(e.code()).isEqualTo("bad-answer"));
        }
        assertThatThrownBy(() -> Caisson.connect("ftp://x", "k")).isInstanceOf(CaissonException.class).hasMessageContaining("ftp://x");
        assertThatThrownBy(() -> Caisson.connect("http://x", "")).isInstanceOf(CaissonException.class).hasMessageContaining("key");
    }

    @Test
    void nobodySeesTheKey() {
        assertThat(Endpoint.of("http://[::1]:7070/base/", "e2b_secret").toString()).isEqualTo("http://[::1]:7070/base");
    }

    private static final String EGRESS = """
            {"layers":[{"name":"request","mode":"list","rules":[{"allow":"api.example.com"}]},{"name":"operator","mode":"open","rules":[]}],
             "budget":{"connections":10,"bytes":1073741824,"requests_per_second":50},
             "secrets":[{"name":"TOKEN","placeholder":"csn-abc","hosts":["api.example.com"],"places":["header"]}]}""";

    @Test
    void saysWhatMayLeaveAndSeesWhatDid() throws Exception {
        try (var server = server((request, out) -> {
                    if (request.line().contains("/egress ")) {
                        ScriptedServer.json(out, 200, EGRESS);
                        return true;
                    }
                    if (request.line().contains("/flows?")) {
                        ScriptedServer.json(out, 200, """
                                {"flows":[{"number":7,"began_at":"2026-01-01T00:00:00Z","ended_at":"2026-01-01T00:00:01Z","host":"api.example.com","address":"192.0.2.7","port":443,"protocol":"tls",
                                 "request":"GET /v1","rule":"request:1","allowed":true,"sent_bytes":5000000000,"received_bytes":2,"count":3}]}""");
                        return true;
                    }
                    return false;
                });
                var caisson = server.connect()) {
            var options = SandboxOptions.defaults().withAllow("api.example.com").withSecret("TOKEN", "hunter2", "api.example.com").withSecret("OTHER", "hunter3", "*.example.org");
            assertThat(options.toString()).contains("TOKEN", "OTHER", "***").doesNotContain("hunter");
            var sandbox = caisson.create(options);
            assertThat(server.requests.getFirst().text()).isEqualTo("{\"egress\":{\"allow\":[\"api.example.com\"],\"mode\":\"list\"},\"secrets\":["
                    + "{\"name\":\"TOKEN\",\"value\":\"hunter2\",\"hosts\":[\"api.example.com\"]},{\"name\":\"OTHER\",\"value\":\"hunter3\",\"hosts\":[\"*.example.org\"]}]}");
            var egress = sandbox.egress();
            assertThat(egress.layers()).extracting(Egress.Layer::name).containsExactly("request", "operator");
            assertThat(egress.secrets()).containsExactly(new Egress.Secret("TOKEN", "csn-abc", java.util.List.of("api.example.com"), java.util.List.of("header")));
            assertThat(egress.bytes()).isEqualTo(1L << 30);
            var wish = EgressOptions.open().withDeny("192.0.2.0/24").withDeny("x.example").withPreset("model-apis").withRule(Json.object().put("allow", "y.example").done()).withBudget(10, 1L << 30, 50);
            assertThat(sandbox.setEgress(wish)).isEqualTo(egress);
            assertThat(server.requests.getLast().text()).isEqualTo("{\"budget\":{\"connections\":10,\"bytes\":1073741824,\"requests_per_second\":50},\"deny\":[\"192.0.2.0/24\",\"x.example\"],"
                    + "\"mode\":\"open\",\"presets\":[\"model-apis\"],\"rules\":[{\"allow\":\"y.example\"}]}");
            assertThat(EgressOptions.none().toString()).isEqualTo("{\"mode\":\"none\"}");
            assertThat(sandbox.flows(6, 10)).singleElement().satisfies(flow -> {
                assertThat(flow.sent()).isEqualTo(5_000_000_000L);
                assertThat(flow.reason()).isEmpty();
                assertThat(flow.count()).isEqualTo(3);
            });
            assertThat(server.requests.getLast().line()).contains("/flows?after=6&limit=10 ");
        }
    }
}
