package dev.caisson.api.rest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.fake.FakeFiles;
import dev.caisson.json.Forms;
import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.FileEvent;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.SandboxId;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.URLEncoder;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class FilesTest {
    @TempDir
    Path directory;

    private House house;
    private SandboxId id;
    private String files;

    @BeforeEach
    void open() {
        open(new House(directory));
    }

    private void open(House opened) {
        house = opened;
        id = house.sandbox();
        files = "/v1/sandboxes/" + id + "/files";
    }

    @AfterEach
    void close() {
        house.close();
    }

    private static FileInfo info(House.Answer answer) {
        return Forms.FILE_INFO.read(answer.is(200).response().body());
    }

    private static String query(String path) {
        return "?path=" + URLEncoder.encode(path, StandardCharsets.UTF_8);
    }

    @Test
    void metadataIsToldWithTheFile() {
        String set = "%7B%22Kind%22%3A%22a%20test%22%7D";
        house.send(house.request(files + "?path=/noted&metadata=" + set).PUT(BodyPublishers.ofString("x"))).is(200);
        assertThat(house.get(files + "/stat?path=/noted").is(200).body()).contains("\"metadata\":{\"Kind\":\"a test\"}");
        house.send(house.request(files + "?path=/noted&metadata=%5B%5D").PUT(BodyPublishers.ofString("x"))).problem(400, "bad-request");
        house.send(house.request(files + "?path=/noted&metadata=%7B%7D%2C%22a%22%3A1").PUT(BodyPublishers.ofString("x"))).problem(400, "bad-request");
    }

    @Test
    void bytesComeBackAsTheyWent() {
        byte[] random = new byte[5_000_000];
        new Random(5).nextBytes(random);
        FileInfo written = info(house.put(files + "?path=/a/b/c.bin", random));
        assertThat(written.size()).isEqualTo(random.length);
        assertThat(written.kind()).isEqualTo(FileInfo.Kind.FILE);
        var read = house.get(files + "?path=/a/b/c.bin").is(200);
        assertThat(read.response().body()).isEqualTo(random);
        assertThat(read.header("Content-Length")).isEqualTo("5000000");
        assertThat(read.header("Content-Type")).isEqualTo("application/octet-stream");
        assertThat(read.header("X-Content-Type-Options")).isEqualTo("nosniff");
        info(house.put(files + "?path=/a/b/c.bin", new byte[0]));
        assertThat(house.get(files + "?path=/a/b/c.bin").is(200).response().body()).isEmpty();
    }

    @Test
    void aBodyOfUnknownLengthIsWrittenToo() {
        byte[] random = new byte[300_000];
        new Random(6).nextBytes(random);
        assertThat(info(house.send(house.request(files + "?path=/x").PUT(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(random))))).size()).isEqualTo(random.length);
        assertThat(house.get(files + "?path=/x").response().body()).isEqualTo(random);
    }

    @Test
    void partsOfAFileCanBeRead() {
        house.put(files + "?path=/x", "0123456789".getBytes(StandardCharsets.US_ASCII));
        assertThat(house.get(files + "?path=/x&offset=3&length=4").is(200).body()).isEqualTo("3456");
        assertThat(house.get(files + "?path=/x&offset=8&length=40").is(200).body()).isEqualTo("89");
        assertThat(house.get(files + "?path=/x&offset=10").is(200).body()).isEmpty();
        assertThat(house.get(files + "?path=/x&offset=99").is(200).body()).isEmpty();
        assertThat(house.get(files + "?path=/x&length=0").is(200).body()).isEmpty();
        house.get(files + "?path=/x&offset=-1").problem(400, "out-of-range");
        house.get(files + "?path=/x&offset=a").problem(400, "out-of-range");
    }

    @Test
    void aFileThatShrinksIsCutAndNotTakenForWhole() {
        house.put(files + "?path=" + FakeFiles.SHRINKING, new byte[1_000]);
        assertThatThrownBy(() -> house.get(files + "?path=" + FakeFiles.SHRINKING)).isInstanceOf(UncheckedIOException.class);
    }

    @Test
    void namesOfAnyCharacterWork() {
        for (String name : List.of("/with space", "/plus+", "/per%cent", "/é€𝄞", "/a&b=c", "/new\nline", "/q?#")) {
            info(house.put(files + query(name), name.getBytes(StandardCharsets.UTF_8)));
            assertThat(house.get(files + query(name)).is(200).body()).isEqualTo(name);
            assertThat(info(house.get(files + "/stat" + query(name))).path()).isEqualTo(name);
        }
    }

    @Test
    void pathsThatCannotBeAreRefused() {
        house.get(files).problem(400, "bad-request");
        house.get(files + "?path=").problem(400, "bad-request");
        house.get(files + "?path=/a%00b").problem(400, "bad-request");
        house.get(files + "?path=/a%ffb").problem(400, "bad-request");
        house.get(files + "?path=/" + "x".repeat(4096)).problem(400, "out-of-range");
        house.get(files + "?path=/x&user=" + "u".repeat(65)).problem(400, "bad-request");
        house.post(files + "/directory", "{\"path\":\"a\\u0000\"}").problem(400, "bad-request");
        house.post(files + "/directory", "{}").problem(400, "bad-request");
        house.post(files + "/rename", "{\"from\":\"a\"}").problem(400, "bad-request");
        house.put(files + "?path=/x&mode=8", new byte[0]).problem(400, "bad-request");
    }

    @Test
    void whatTheGuestRefusesIsSaid() {
        house.get(files + "?path=/none").problem(404, "file-not-found");
        house.get(files + "/stat?path=/none").problem(404, "file-not-found");
        house.post(files + "/directory", "{\"path\":\"/d\"}").is(201);
        house.get(files + "?path=/d").problem(409, "is-a-directory");
        house.put(files + "?path=/f", new byte[3]).is(200);
        house.get(files + "/list?path=/f").problem(409, "not-a-directory");
        house.put(files + "?path=/g", new byte[3]).is(200);
        house.post(files + "/rename", "{\"from\":\"/f\",\"to\":\"/g\"}").problem(409, "file-exists");
        house.put(files + "?path=" + FakeFiles.FULL, new byte[3]).problem(507, "disk-full");
        house.get("/v1/sandboxes/sbaaaaaaaaaaaaaaaaaa/files?path=/x").problem(404, "sandbox-not-found");
    }

    @Test
    void aLargeUploadThatIsRefusedStillGetsItsAnswer() throws IOException {
        try (var socket = new Socket("127.0.0.1", house.server.port())) {
            socket.getOutputStream().write(("PUT " + files + "?path=" + FakeFiles.FULL + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + house.key
                    + "\r\nContent-Length: 1000000000\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
            assertThat(new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII)).readLine()).contains("507");
        }
    }

    @Test
    void anUploadThatBreaksOffLeavesTheOldContent() throws IOException {
        house.put(files + "?path=/x", "old".getBytes(StandardCharsets.US_ASCII)).is(200);
        try (var socket = new Socket("127.0.0.1", house.server.port())) {
            socket.getOutputStream().write(("PUT " + files + "?path=/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + house.key + "\r\nContent-Length: 100\r\n\r\nnew").getBytes(StandardCharsets.US_ASCII));
            socket.shutdownOutput();
            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8)).startsWith("HTTP/1.1 400").contains("the body broke off");
        }
        assertThat(house.get(files + "?path=/x").is(200).body()).isEqualTo("old");
    }

    @Test
    void anUploadThatStopsIsGivenUp() throws IOException {
        house.close();
        open(new House(directory, Duration.ofSeconds(10), Duration.ofMillis(300), 10));
        try (var socket = new Socket("127.0.0.1", house.server.port())) {
            socket.getOutputStream().write(("PUT " + files + "?path=/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + house.key + "\r\nContent-Length: 100\r\n\r\nnew").getBytes(StandardCharsets.US_ASCII));
            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8)).startsWith("HTTP/1.1 408").contains("request-timeout");
        }
        house.get(files + "?path=/x").problem(404, "file-not-found");
    }

    @Test
    void directoriesAreMadeListedRenamedAndRemoved() {
        assertThat(house.post(files + "/directory", "{\"path\":\"/d/e\",\"user\":\"root\"}").is(201).body()).isEqualTo("{\"created\":true}");
        assertThat(house.post(files + "/directory", "{\"path\":\"/d/e\"}").is(200).body()).isEqualTo("{\"created\":false}");
        house.put(files + "?path=/d/e/f&mode=755", new byte[2]).is(200);
        assertThat(names("/list?path=/d")).containsExactly("e");
        assertThat(names("/list?path=/d&depth=2")).containsExactly("e", "f");
        assertThat(info(house.get(files + "/stat?path=/d/e/f")).mode()).isEqualTo(0755);
        assertThat(info(house.post(files + "/rename", "{\"from\":\"/d\",\"to\":\"/g\"}")).path()).isEqualTo("/g");
        house.delete(files + "?path=/g").is(204);
        house.get(files + "/stat?path=/g").problem(404, "file-not-found");
        house.get(files + "/list?path=/&depth=0").problem(400, "out-of-range");
        house.get(files + "/list?path=/&depth=65").problem(400, "out-of-range");
    }

    private List<String> names(String rest) {
        return house.get(files + rest).is(200).json().objects("entries", Forms.FILE_INFO).stream().map(FileInfo::name).toList();
    }

    @Test
    void watchesUntilTheClientGoes() throws IOException {
        house.close();
        open(new House(directory, Duration.ofMillis(100), Duration.ofSeconds(75), 10));
        HttpResponse<InputStream> response = house.open(house.request(files + "/watch?path=/&recursive=true").GET());
        assertThat(response.headers().firstValue("Content-Type")).contains("application/x-ndjson");
        var reader = new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8));
        assertThat(reader.readLine()).isEqualTo("{\"event\":\"heartbeat\"}");
        house.sandboxes.fakeFiles(id).happen(new FileEvent(FileEvent.Kind.WRITTEN, "é"));
        String line = reader.readLine();
        while (line.contains("heartbeat")) {
            line = reader.readLine();
        }
        assertThat(line).isEqualTo("{\"event\":\"written\",\"path\":\"é\"}");
        response.body().close();
        House.until("the watch is closed", () -> house.sandboxes.fakeFiles(id).watches() == 0);
        house.get(files + "/watch?path=/none").problem(404, "file-not-found");
    }

    @Test
    void aWatchEndsWithItsSandbox() throws IOException {
        HttpResponse<InputStream> response = house.open(house.request(files + "/watch?path=/").GET());
        var reader = new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8));
        assertThat(JsonObject.parse(reader.readLine().getBytes(StandardCharsets.UTF_8)).text("event")).isEqualTo("heartbeat");
        house.delete("/v1/sandboxes/" + id).is(200);
        assertThat(reader.readLine()).isNull();
    }
}
