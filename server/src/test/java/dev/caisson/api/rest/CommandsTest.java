package dev.caisson.api.rest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.TerminalSize;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.concurrent.SubmissionPublisher;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class CommandsTest {
    @TempDir
    Path directory;

    private House house;
    private SandboxId id;
    private String commands;

    @BeforeEach
    void open() {
        open(new House(directory));
    }

    private void open(House opened) {
        house = opened;
        id = house.sandbox();
        commands = "/v1/sandboxes/" + id + "/commands";
    }

    @AfterEach
    void close() {
        house.close();
    }

    @Test
    void waitsAndAnswersOnce() {
        var answer = house.post(commands + "?wait=true", "{\"argv\":[\"sh\",\"-c\",\"printf 'h\\u00e9 %s' $A; printf oh >&2; exit 3\"],\"env\":{\"A\":\"b\"}}").is(200);
        JsonObject json = answer.json();
        assertThat(answer.header("Caisson-Command")).isEqualTo("c1").isEqualTo(json.text("id"));
        assertThat(json.text("stdout")).isEqualTo("hé b");
        assertThat(json.text("stderr")).isEqualTo("oh");
        assertThat(json.whole("status", 0, 255)).isEqualTo(3);
        assertThat(json.text("outcome")).isEqualTo("exited");
        assertThat(json.whole("stdout_bytes", 0, 99)).isEqualTo(5);
        assertThat(json.whole("stderr_bytes", 0, 99)).isEqualTo(2);
        assertThat(json.truth("truncated")).isFalse();
        json.whole("pid", 1, Integer.MAX_VALUE);
        assertThat(json.millis("wall_ms")).isPresent();
        assertThat(json.millis("cpu_ms")).isPresent();
        json.end();
    }

    @Test
    void waitGivesBytesThatAreNotTextAsBase64() {
        JsonObject json = house.post(commands + "?wait=true", "{\"argv\":[\"printf\",\"\\\\377\\\\000a\"]}").is(200).json();
        assertThat(Base64.getDecoder().decode(json.text("stdout_base64"))).containsExactly(0xFF, 0, 'a');
        assertThat(json.has("stdout")).isFalse();
        assertThat(json.text("stderr")).isEmpty();
    }

    @Test
    void waitKeepsEightMebibytesAndCountsTheRest() {
        JsonObject json = house.post(commands + "?wait=true", "{\"argv\":[\"@flood\",\"" + (20 << 20) + "\"]}").is(200).json();
        assertThat(json.text("stdout")).hasSize(8 << 20);
        assertThat(json.whole("stdout_bytes", 0, Long.MAX_VALUE)).isEqualTo(20 << 20);
        assertThat(json.truth("truncated")).isTrue();
    }

    @Test
    void waitDoesNotCutACharacter() {
        // Three bytes a character: 8 MiB is not a multiple of three.
        JsonObject json = house.post(commands + "?wait=true", "{\"argv\":[\"python3\",\"-c\",\"import sys; sys.stdout.write(chr(8364)*3000000)\"]}").is(200).json();
        assertThat(json.text("stdout")).hasSize((8 << 20) / 3).matches("€*");
        assertThat(json.truth("truncated")).isTrue();
    }

    @Test
    void waitOutlastsTheIdleTimeOfTheConnection() {
        house.close();
        open(new House(directory, Duration.ofSeconds(10), Duration.ofMillis(300), 10));
        assertThat(house.post(commands + "?wait=true", "{\"argv\":[\"sleep\",\"1\"]}").is(200).text("outcome")).isEqualTo("exited");
    }

    @Test
    void linesTellEventsInOrder() throws IOException {
        List<JsonObject> events = lines(house.open(house.run(id, false, "{\"argv\":[\"sh\",\"-c\",\"printf one; printf two >&2\"]}")));
        assertThat(events.getFirst().text("event")).isEqualTo("started");
        assertThat(events.getFirst().text("id")).isEqualTo("c1");
        assertThat(events.stream().filter(event -> event.text("event").equals("output")).map(event -> event.text("channel") + event.whole("offset", 0, 9) + event.text("data")))
                .containsExactlyInAnyOrder("stdout0one", "stderr0two");
        JsonObject ended = events.getLast();
        assertThat(ended.text("event")).isEqualTo("ended");
        assertThat(ended.has("result")).isTrue();
    }

    @Test
    void linesCarryBytesThatAreNotTextAsBase64() throws IOException {
        List<JsonObject> events = lines(house.open(house.run(id, false, "{\"argv\":[\"printf\",\"\\\\377\"]}")));
        assertThat(events.get(1).text("data_base64")).isEqualTo("/w==");
        assertThat(events.get(1).has("data")).isFalse();
    }

    @Test
    void framesAreExactToTheByte() throws IOException {
        byte[] random = new byte[10 << 20];
        new Random(11).nextBytes(random);
        Path file = directory.resolve("random");
        Files.write(file, random);
        HttpResponse<InputStream> response = house.open(house.run(id, true, "{\"argv\":[\"sh\",\"-c\",\"cat " + file + "; cat " + file + " >&2; exit 7\"]}"));
        assertThat(response.headers().firstValue("Content-Type")).contains("application/vnd.caisson.stream");
        assertThat(response.headers().firstValue("Caisson-Command")).contains("c1");
        var frames = new Frames(response.body());
        JsonObject last = frames.last();
        assertThat(last.text("event")).isEqualTo("ended");
        assertThat(frames.events.getFirst().text("event")).isEqualTo("started");
        assertThat(frames.stdout.toByteArray()).isEqualTo(random);
        assertThat(frames.stderr.toByteArray()).isEqualTo(random);
    }

    @Test
    void aSlowReaderHoldsTheCommandBack() throws IOException {
        try (InputStream in = house.open(house.run(id, true, "{\"argv\":[\"@flood\",\"10000000000\"]}")).body()) {
            assertThat(in.read()).isZero();
            var command = house.sandboxes.command(id, "c1");
            long[] before = {-1};
            // What is on the way fills the client's and the kernel's buffers, and then nothing moves.
            House.until("the flood stands still", () -> {
                long now = command.taken();
                boolean still = now == before[0];
                before[0] = now;
                java.util.concurrent.locks.LockSupport.parkNanos(100_000_000);
                return still && now > 0;
            });
            assertThat(command.taken()).isLessThan(64L << 20);
        }
    }

    @Test
    void stdinFlowsWhileOutputStreams() throws Exception {
        HttpResponse<InputStream> output = house.open(house.run(id, true, "{\"argv\":[\"cat\"],\"stdin\":true}"));
        var frames = new Frames(output.body());
        frames.next();
        house.send(house.request(commands + "/c1/stdin?end=false").POST(BodyPublishers.ofString("first "))).is(204);
        while (frames.stdout.size() < 6) {
            frames.next();
        }
        assertThat(frames.stdout.toString(StandardCharsets.UTF_8)).isEqualTo("first ");

        // Not ofInputStream: the JDK's reads one piece ahead and holds the one before it back.
        try (var pieces = new SubmissionPublisher<ByteBuffer>()) {
            var sent = house.client.sendAsync(house.request(commands + "/c1/stdin").POST(BodyPublishers.fromPublisher(pieces)).build(), HttpResponse.BodyHandlers.ofString());
            House.until("the request is on its way", pieces::hasSubscribers);
            pieces.submit(ByteBuffer.wrap("second ".getBytes(StandardCharsets.UTF_8)));
            while (frames.stdout.size() < 13) {
                frames.next();
            }
            pieces.submit(ByteBuffer.wrap("third".getBytes(StandardCharsets.UTF_8)));
            while (frames.stdout.size() < 18) {
                frames.next();
            }
            end(pieces);
            assertThat(frames.last().text("event")).isEqualTo("ended");
            assertThat(sent.get().statusCode()).isEqualTo(204);
        }
        assertThat(frames.stdout.toString(StandardCharsets.UTF_8)).isEqualTo("first second third");
        house.send(house.request(commands + "/c1/stdin").POST(BodyPublishers.ofString("x"))).problem(409, "wrong-state");
    }

    @Test
    void stdinOutlastsTheIdleTimeOfTheConnection() throws Exception {
        house.close();
        open(new House(directory, Duration.ofMillis(100), Duration.ofMillis(200), 10));
        var frames = new Frames(house.open(house.run(id, true, "{\"argv\":[\"cat\"],\"stdin\":true}")).body());
        frames.next();
        try (var socket = new Socket("127.0.0.1", house.server.port())) {
            var out = socket.getOutputStream();
            out.write(("POST " + commands + "/c1/stdin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + house.key + "\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n").getBytes(StandardCharsets.US_ASCII));
            while (frames.stdout.size() < 1 || frames.heartbeats < 10) {
                frames.next();
            }
            out.write("1\r\nb\r\n0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            assertThat(new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII)).readLine()).contains("204");
        }
        frames.last();
        assertThat(frames.stdout.toString(StandardCharsets.UTF_8)).isEqualTo("ab");
    }

    @Test
    void stdinNeedsACommandThatTakesItButNoOpenStream() throws Exception {
        house.send(house.request(commands + "/c5/stdin").POST(BodyPublishers.noBody())).problem(404, "command-not-found");
        house.post(commands + "?wait=true", "{\"argv\":[\"true\"]}").is(200);
        house.send(house.request(commands + "/c1/stdin").POST(BodyPublishers.noBody())).problem(409, "wrong-state");
        // Whoever started it has gone away.
        try (var output = house.open(house.run(id, true, "{\"argv\":[\"cat\"],\"stdin\":true,\"tag\":\"mine\",\"unread\":\"drop\"}")).body()) {
            assertThat(new Frames(output).next()).isNotNull();
        }
        house.send(house.request(commands + "/c2/stdin?end=false").POST(BodyPublishers.ofString("without "))).is(204);
        house.send(house.request(commands + "/c2/stdin").POST(BodyPublishers.ofString("a stream"))).is(204);
        var frames = new Frames(house.open(house.request(commands + "/c2/stream?stdout_offset=-2&stderr_offset=-1").header("Accept", "application/vnd.caisson.stream").GET()).body());
        frames.last();
        assertThat(frames.stdout.toString(StandardCharsets.UTF_8)).endsWith("a stream");
        assertThat(house.get(commands + "/c2").is(200).body()).contains("\"tag\":\"mine\"");
        house.get(commands + "/c2/stream?stdout_offset=-3").problem(400, "out-of-range");
    }

    @Test
    void aLostClientOnlyDetachesAndIsNoticed() throws IOException {
        house.close();
        open(new House(directory, Duration.ofMillis(100), Duration.ofSeconds(75), 10));
        HttpResponse<InputStream> response = house.open(house.run(id, true, "{\"argv\":[\"@silent\"]}"));
        var frames = new Frames(response.body());
        while (frames.heartbeats < 3) {
            frames.next();
        }
        var command = house.sandboxes.command(id, "c1");
        assertThat(command.attached()).isOne();
        response.body().close();
        House.until("the stream is closed", () -> command.attached() == 0);
        assertThat(house.get(commands + "/c1").is(200).json().has("result")).as("it still runs").isFalse();
        house.post(commands + "/c1/signal", "{\"signal\":\"TERM\"}").is(204);
        assertThat(new Frames(house.open(house.request(commands + "/c1/stream").header("Accept", "application/vnd.caisson.stream").GET()).body()).last().text("event")).isEqualTo("ended");
    }

    @Test
    void quietLinesHaveHeartbeatsToo() throws IOException {
        house.close();
        open(new House(directory, Duration.ofMillis(50), Duration.ofMillis(100), 10));
        HttpResponse<InputStream> response = house.open(house.run(id, false, "{\"argv\":[\"sleep\",\"0.5\"]}"));
        List<JsonObject> events = lines(response);
        assertThat(events.stream().filter(event -> event.text("event").equals("heartbeat")).count()).isGreaterThan(2);
        assertThat(events.getLast().text("event")).isEqualTo("ended");
    }

    @Test
    void attachesFromAnOffset() throws IOException {
        HttpResponse<InputStream> first = house.open(house.run(id, true, "{\"argv\":[\"sh\",\"-c\",\"printf abcdef; read x; printf $x; printf err >&2\"],\"stdin\":true}"));
        var frames = new Frames(first.body());
        while (frames.stdout.size() < 6) {
            frames.next();
        }
        HttpResponse<InputStream> second = house.open(house.request(commands + "/c1/stream?stdout_offset=4").header("Accept", "application/vnd.caisson.stream").GET());
        house.send(house.request(commands + "/c1/stdin").POST(BodyPublishers.ofString("more\n"))).is(204);
        var again = new Frames(second.body());
        assertThat(again.last().text("event")).isEqualTo("ended");
        assertThat(again.stdout.toString(StandardCharsets.UTF_8)).isEqualTo("efmore");
        assertThat(again.stderr.toString(StandardCharsets.UTF_8)).isEqualTo("err");
        frames.last();
        assertThat(frames.stdout.toString(StandardCharsets.UTF_8)).isEqualTo("abcdefmore");
        List<JsonObject> lines = lines(house.open(house.request(commands + "/c1/stream?stdout_offset=10&stderr_offset=3").GET()));
        assertThat(lines).extracting(event -> event.text("event")).containsExactly("started", "ended");
    }

    @Test
    void lostOutputIsSaid() throws IOException {
        lines(house.open(house.run(id, false, "{\"argv\":[\"@flood\",\"1000000\"]}")));
        house.get(commands + "/c1/stream").problem(409, "output-lost");
    }

    @Test
    void aFailureInMidStreamIsTheLastEvent() throws IOException {
        var frames = new Frames(house.open(house.run(id, true, "{\"argv\":[\"@crash\"]}")).body());
        JsonObject last = frames.last();
        assertThat(last.text("event")).isEqualTo("problem");
        List<JsonObject> lines = lines(house.open(house.run(id, false, "{\"argv\":[\"@crash\"]}")));
        assertThat(lines.getLast().text("event")).isEqualTo("problem");
        house.post(commands + "?wait=true", "{\"argv\":[\"@crash\"]}").problem(502, "guest-failed");
    }

    @Test
    void aDeletedSandboxEndsItsStreams() throws IOException {
        var frames = new Frames(house.open(house.run(id, true, "{\"argv\":[\"@silent\"]}")).body());
        frames.next();
        house.delete("/v1/sandboxes/" + id).is(200);
        assertThat(frames.last().text("event")).isEqualTo("ended");
    }

    @Test
    void listsAndShowsCommands() {
        house.post(commands + "?wait=true", "{\"argv\":[\"true\"]}").is(200);
        house.post(commands + "?wait=true", "{\"argv\":[\"false\"]}").is(200);
        assertThat(house.get(commands).is(200).body()).contains("\"id\":\"c1\"").contains("\"id\":\"c2\"");
        assertThat(house.get(commands + "/c2").is(200).body()).contains("\"argv\":[\"false\"]").contains("\"status\":1");
        house.get(commands + "/c3").problem(404, "command-not-found");
        house.get(commands + "/x").problem(400, "bad-request");
    }

    @Test
    void signalsByNameAndNumber() throws IOException {
        for (String signal : List.of("\"TERM\"", "\"sigterm\"", "15")) {
            HttpResponse<InputStream> response = house.open(house.run(id, true, "{\"argv\":[\"@silent\"]}"));
            String command = response.headers().firstValue("Caisson-Command").orElseThrow();
            house.post(commands + "/" + command + "/signal", "{\"signal\":" + signal + "}").is(204);
            assertThat(new String(response.body().readAllBytes(), StandardCharsets.UTF_8)).contains("\"status\":143");
        }
        house.post(commands + "/c1/signal", "{\"signal\":\"NOPE\"}").problem(400, "bad-request");
        house.post(commands + "/c1/signal", "{\"signal\":65}").problem(400, "out-of-range");
        house.post(commands + "/c1/signal", "{\"signal\":0}").problem(400, "out-of-range");
        house.post(commands + "/c1/signal", "{}").problem(400, "bad-request");
        house.post(commands + "/c99/signal", "{\"signal\":15}").problem(404, "command-not-found");
    }

    @Test
    void resizesATerminal() throws IOException {
        try (InputStream body = house.open(house.run(id, true, "{\"argv\":[\"@silent\"],\"terminal\":{\"columns\":80,\"rows\":24}}")).body()) {
            assertThat(body.read()).isZero();
            house.post(commands + "/c1/resize", "{\"columns\":132,\"rows\":50}").is(204);
            assertThat(house.sandboxes.command(id, "c1").size()).isEqualTo(new TerminalSize(132, 50));
            house.post(commands + "/c1/resize", "{\"columns\":0,\"rows\":50}").problem(400, "out-of-range");
        }
    }

    @Test
    void whatCannotBeStartedIsAProblem() {
        house.post(commands, "{\"argv\":[\"/no/such/program\"]}").problem(400, "program-not-found");
        house.post(commands, "{\"argv\":[]}").problem(400, "bad-request");
        house.post(commands, "{}").problem(400, "bad-request");
        house.post(commands, "{\"argv\":[\"a\"],\"timeout_ms\":0}").problem(400, "out-of-range");
        house.post(commands, "{\"argv\":[\"a\\u0000b\"]}").problem(400, "bad-request");
        house.post(commands + "?wait=maybe", "{\"argv\":[\"true\"]}").problem(400, "bad-request");
        house.post("/v1/sandboxes/sbaaaaaaaaaaaaaaaaaa/commands", "{\"argv\":[\"true\"]}").problem(404, "sandbox-not-found");
        house.send(house.run(id, false, "{\"argv\":[\"true\"]}").header("Accept", "text/html")).problem(406, "not-acceptable");
    }

    @Test
    void sixtyFourKibibytesOfArgumentPass() {
        String large = "x".repeat(64 * 1024);
        assertThat(house.post(commands + "?wait=true", "{\"argv\":[\"printf\",\"%s\",\"" + large + "\"]}").is(200).text("stdout")).isEqualTo(large);
    }

    @Test
    void aBrokenOffBodyLeavesTheInputOpen() throws Exception {
        var frames = new Frames(house.open(house.run(id, true, "{\"argv\":[\"cat\"],\"stdin\":true}")).body());
        frames.next();
        try (var socket = new Socket("127.0.0.1", house.server.port())) {
            socket.getOutputStream().write(("POST " + commands + "/c1/stdin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + house.key + "\r\nContent-Length: 100\r\n\r\nhalf ").getBytes(StandardCharsets.US_ASCII));
            while (frames.stdout.size() < 5) {
                frames.next();
            }
        }
        house.send(house.request(commands + "/c1/stdin").POST(BodyPublishers.ofString("rest"))).is(204);
        frames.last();
        assertThat(frames.stdout.toString(StandardCharsets.UTF_8)).isEqualTo("half rest");
    }

    @Test
    void http2WithoutTlsWorksToo() throws Exception {
        try (var client = java.net.http.HttpClient.newBuilder().version(java.net.http.HttpClient.Version.HTTP_2).build()) {
            for (int i = 0; i < 3; i++) {
                HttpRequest request = house.run(id, true, "{\"argv\":[\"@flood\",\"3000000\"]}").build();
                HttpResponse<InputStream> response = client.send(request, HttpResponse.BodyHandlers.ofInputStream());
                var frames = new Frames(response.body());
                assertThat(frames.last().text("event")).isEqualTo("ended");
                assertThat(frames.stdout.size()).isEqualTo(3_000_000);
            }
            HttpResponse<String> health = client.send(HttpRequest.newBuilder(house.at("/v1/health")).build(), HttpResponse.BodyHandlers.ofString());
            assertThat(health.version()).isEqualTo(java.net.http.HttpClient.Version.HTTP_2);
        }
    }

    @Test
    void aCutStreamIsNotTakenForAWholeOne() throws IOException {
        HttpResponse<InputStream> response = house.open(house.run(id, true, "{\"argv\":[\"@silent\"]}"));
        var frames = new Frames(response.body());
        frames.next();
        house.server.close();
        assertThatThrownBy(frames::last).isInstanceOf(IOException.class);
    }

    private static void end(SubmissionPublisher<?> pieces) {
        pieces.close();
    }

    private static List<JsonObject> lines(HttpResponse<InputStream> response) throws IOException {
        assertThat(response.headers().firstValue("Content-Type")).contains("application/x-ndjson");
        var events = new ArrayList<JsonObject>();
        try (var reader = new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                events.add(JsonObject.parse(line.getBytes(StandardCharsets.UTF_8)));
            }
        }
        return events;
    }
}
