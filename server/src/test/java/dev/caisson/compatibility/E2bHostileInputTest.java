package dev.caisson.compatibility;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.json.JsonObject;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Servers;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// E2B's interface by raw HTTP against a whole installation, where the wall and the guest's own kernel decide: paths, users, places that cannot be written, and
/// a sandbox that is gone in the middle.
@Tag("machine")
@Timeout(value = 3, unit = TimeUnit.MINUTES)
class E2bHostileInputTest {
    @RegisterExtension
    static final Installation INSTALLATION = new Installation();

    private static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private static URI url = URI.create("http://127.0.0.1/");
    private static String key = "";

    private record Box(String id, String token) {}

    private Box box = new Box("", "");
    private Box neighbour = new Box("", "");

    @BeforeAll
    static void startFront() throws IOException {
        var ready = JsonObject.parse(INSTALLATION.servers().start(Servers.Kind.FRONT, "--listen", "127.0.0.1:0").getBytes(StandardCharsets.UTF_8));
        url = URI.create(ready.text("url"));
        key = ready.text("key");
    }

    @AfterAll
    static void closeClient() {
        CLIENT.shutdownNow();
    }

    @BeforeEach
    void make() throws Exception {
        box = create();
        neighbour = create();
    }

    @AfterEach
    void theNeighbourGoesOn() throws Exception {
        assertThat(run(neighbour, "echo unharmed")).contains(Base64.getEncoder().encodeToString("unharmed\n".getBytes(StandardCharsets.UTF_8)));
        for (var process : List.of(Servers.Kind.FRONT, Servers.Kind.NODE)) {
            assertThat(INSTALLATION.servers().log(process)).as(process + " wrote of a fault of its own").doesNotContain("fault=", "Exception");
        }
    }

    private static HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(url.resolve(path)).timeout(Duration.ofSeconds(60));
    }

    private static HttpRequest.Builder request(Box of, String path) {
        return request(path).header("E2b-Sandbox-Id", of.id()).header("E2b-Sandbox-Port", "49983").header("X-Access-Token", of.token());
    }

    private static HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
        var answer = CLIENT.send(request.build(), BodyHandlers.ofString());
        if (answer.statusCode() >= 400) {
            assertThat(answer.body()).doesNotContain("Exception", "dev.caisson", "\tat ", "/var/lib/caisson");
        }
        return answer;
    }

    private static Box create() throws Exception {
        var made = JsonObject.parse(send(request("/v2/sandboxes").header("X-API-KEY", key).POST(BodyPublishers.ofString("{\"templateID\":\"base\",\"timeout\":120}"))).body().getBytes(StandardCharsets.UTF_8));
        return new Box(made.text("sandboxID"), made.text("envdAccessToken"));
    }

    private static void kill(Box which) throws Exception {
        assertThat(send(request("/sandboxes/" + which.id()).header("X-API-KEY", key).DELETE()).statusCode()).isEqualTo(204);
    }

    private static byte[] message(String json) {
        byte[] text = json.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(5 + text.length).put((byte) 0).putInt(text.length).put(text).array();
    }

    private static HttpRequest.Builder starting(Box in, String user, String json) {
        var request = request(in, "/process.Process/Start").header("Content-Type", "application/connect+json").POST(BodyPublishers.ofByteArray(message(json)));
        return user.isEmpty() ? request : request.header("Authorization", "Basic " + Base64.getEncoder().encodeToString((user + ":").getBytes(StandardCharsets.UTF_8)));
    }

    private static String command(String line) {
        return "{\"process\":{\"cmd\":\"/bin/bash\",\"args\":[\"-c\",\"" + line + "\"]}}";
    }

    /// The whole stream of a command, envelopes and all.
    private static String run(Box in, String line) throws Exception {
        return send(starting(in, "", command(line))).body();
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private HttpResponse<String> read(String path) throws Exception {
        return send(request(box, "/files?path=" + encoded(path)));
    }

    private HttpResponse<String> write(String path, String content) throws Exception {
        return send(request(box, "/files?path=" + encoded(path)).header("Content-Type", "application/octet-stream").POST(BodyPublishers.ofString(content)));
    }

    private HttpResponse<String> filesystem(String method, String json) throws Exception {
        return send(request(box, "/filesystem.Filesystem/" + method).header("Content-Type", "application/json").POST(BodyPublishers.ofString(json)));
    }

    @Test
    void pathsNeverLeaveTheSandbox() throws Exception {
        Path secret = Files.writeString(INSTALLATION.home().path().resolve("secret-of-the-host"), "of the host");
        for (String way : List.of("/" + "../".repeat(40) + secret.toString().substring(1), "../".repeat(40) + secret.toString().substring(1), "~/" + "../".repeat(40) + secret.toString().substring(1), secret.toString(),
                "/proc/1/root" + secret, "/proc/self/root/" + "../".repeat(40) + secret.toString().substring(1))) {
            assertThat(read(way).statusCode()).as(way).isIn(400, 404);
            assertThat(filesystem("Stat", "{\"path\":\"" + way + "\"}").statusCode()).as(way).isEqualTo(404);
        }
        // A link of the guest's leads where it leads in the guest.
        assertThat(run(box, "ln -s / /tmp/up; ln -s " + secret + " /tmp/there")).contains("\"exitCode\":0");
        assertThat(read("/tmp/there").statusCode()).isEqualTo(404);
        assertThat(read("/tmp/up" + secret).statusCode()).isEqualTo(404);
        String passwd = read("/" + "../".repeat(40) + "etc/passwd").body();
        assertThat(passwd).isEqualTo(read("/etc/passwd").body()).contains("user:x:1000:").isNotEqualTo(Files.readString(Path.of("/etc/passwd")));
        assertThat(write("../".repeat(40) + "tmp/traversed", "x").body()).contains("traversed");
        assertThat(Path.of("/tmp/traversed")).doesNotExist();
    }

    @Test
    void relativePathsBeginAtTheUsersHome() throws Exception {
        assertThat(write("a/b", "x").body()).contains("\"path\":\"/home/user/a/b\"");
        for (String same : List.of("/home/user/a/b", "~/a/b", "./a/b", "a/../a/b", "/home//user/./a/b")) {
            assertThat(read(same).body()).as(same).isEqualTo("x");
        }
        assertThat(read("").statusCode()).isEqualTo(400);
        assertThat(read("~root/x").statusCode()).isEqualTo(400);
        assertThat(send(request(box, "/files?username=root&path=a/b")).statusCode()).isEqualTo(404);
        assertThat(filesystem("Stat", "{\"path\":\"a\"}").body()).contains("\"path\":\"/home/user/a\"", "\"owner\":\"user\"");
        assertThat(filesystem("ListDir", "{\"path\":\"a/b\"}").statusCode()).isEqualTo(400);
        assertThat(filesystem("MakeDir", "{\"path\":\"a/b\"}").statusCode()).isEqualTo(400);
        assertThat(filesystem("MakeDir", "{\"path\":\"a/b/c\"}").statusCode()).isEqualTo(400);
        assertThat(filesystem("Move", "{\"source\":\"a/none\",\"destination\":\"z\"}").statusCode()).isEqualTo(404);
        assertThat(filesystem("Remove", "{\"path\":\"a/none\"}").statusCode()).isEqualTo(200);
    }

    @Test
    void placesThatCannotBeWritten() throws Exception {
        for (String place : List.of("/proc/version", "/proc/new", "/sys/new", "/proc/self/new/deep")) {
            var answer = write(place, "x");
            assertThat(answer.statusCode()).as(place + ": " + answer.body()).isBetween(400, 500);
            assertThat(JsonObject.parse(answer.body().getBytes(StandardCharsets.UTF_8)).whole("code", 400, 507)).isEqualTo(answer.statusCode());
        }
        assertThat(write("/home/user", "x").statusCode()).isEqualTo(400);
        assertThat(write("/etc/passwd/x", "x").statusCode()).isEqualTo(400);
        assertThat(run(box, "fallocate -l 960M /home/user/fill")).contains("\"exitCode\":0");
        var full = send(request(box, "/files?path=/home/user/big").header("Content-Type", "application/octet-stream").POST(BodyPublishers.ofByteArray(new byte[100 << 20])));
        assertThat(full.statusCode()).as(full.body()).isEqualTo(507);
        assertThat(full.body()).contains("not enough disk space");
        assertThat(read("/home/user/big").statusCode()).isEqualTo(404);
        assertThat(write("/home/user/small", "x").statusCode()).isEqualTo(200);
    }

    @Test
    void usersThatAreNotThere() throws Exception {
        for (String user : List.of("nobody-of-that-name", "../root", "user\nroot", "root:x")) {
            var read = send(request(box, "/files?path=/etc/passwd&username=" + encoded(user)));
            assertThat(read.statusCode()).as(user).isEqualTo(401);
            assertThat(read.body()).contains("error looking up user");
            var written = send(request(box, "/files?path=x&username=" + encoded(user)).header("Content-Type", "application/octet-stream").POST(BodyPublishers.ofString("x")));
            assertThat(written.statusCode()).as(user).isEqualTo(401);
        }
        assertThat(send(starting(box, "nobody-of-that-name", command("true"))).body()).contains("\"code\":\"unauthenticated\"", "invalid username: 'nobody-of-that-name'");
        assertThat(send(starting(box, "root", command("id -un"))).body()).contains(Base64.getEncoder().encodeToString("root\n".getBytes(StandardCharsets.UTF_8)));
        assertThat(send(starting(box, "", "{\"process\":{\"cmd\":\"/no/such/program\"}}")).body()).contains("\"code\":\"invalid_argument\"");
        assertThat(send(starting(box, "", "{\"process\":{\"cmd\":\"/bin/true\",\"cwd\":\"/nowhere\"}}")).body()).contains("\"code\":\"invalid_argument\"", "/nowhere", "does not exist");
    }

    /// All clients' calls share one link to the node: what ends one of them must not end it.
    @Test
    void commandsThatRunOutOfTimeLeaveEverybodyElseAlone() throws Exception {
        var end = System.nanoTime() + TimeUnit.SECONDS.toNanos(6);
        var floods = new ArrayList<FutureTask<Integer>>();
        for (int i = 0; i < 5; i++) {
            int millis = 150 + 10 * i;
            floods.add(new FutureTask<>(() -> {
                int rounds = 0;
                for (; System.nanoTime() < end; rounds++) {
                    assertThat(send(starting(box, "", command("yes")).header("Connect-Timeout-Ms", Integer.toString(millis))).body()).endsWith("\"code\":\"deadline_exceeded\",\"message\":\"context deadline exceeded\"}}");
                }
                return rounds;
            }));
        }
        floods.forEach(flood -> Thread.ofVirtual().start(flood));
        while (System.nanoTime() < end) {
            assertThat(run(neighbour, "echo calm")).contains(Base64.getEncoder().encodeToString("calm\n".getBytes(StandardCharsets.UTF_8)), "\"exitCode\":0");
        }
        for (var flood : floods) {
            assertThat(flood.get(60, TimeUnit.SECONDS)).isPositive();
        }
    }

    @Test
    void aSandboxThatIsGoneInTheMiddleOfAStream() throws Exception {
        var stream = CLIENT.send(starting(box, "", command("echo begun; sleep 100")).build(), BodyHandlers.ofInputStream());
        try (InputStream body = stream.body()) {
            assertThat(new String(body.readNBytes(5 + 30), StandardCharsets.UTF_8)).contains("start");
            kill(box);
            assertThat(new String(body.readAllBytes(), StandardCharsets.UTF_8)).contains("\"code\":\"unavailable\"", "ended before the stream completed");
        }
        for (var late : List.of(request(box, "/health"), request(box, "/files?path=/etc/passwd"), starting(box, "", command("true")), request(box, "/envs"))) {
            var answer = send(late);
            assertThat(answer.statusCode()).isEqualTo(502);
            assertThat(answer.body()).contains("The sandbox was not found", "\"code\":502");
        }
    }

    @Test
    void aSandboxThatIsGoneInTheMiddleOfADownload() throws Exception {
        assertThat(run(box, "fallocate -l 300M /tmp/large")).contains("\"exitCode\":0");
        var download = CLIENT.send(request(box, "/files?path=/tmp/large").build(), BodyHandlers.ofInputStream());
        assertThat(download.headers().firstValueAsLong("Content-Length")).hasValue(300L << 20);
        try (InputStream body = download.body()) {
            body.readNBytes(1 << 20);
            kill(box);
            // What was on its way still comes; then it breaks off, and is not taken for the whole.
            assertThat(bytesUntilItBreaks(body)).isLessThan(299L << 20);
        }
    }

    private static long bytesUntilItBreaks(InputStream in) {
        byte[] piece = new byte[1 << 16];
        long bytes = 0;
        try {
            for (int count = in.read(piece); count >= 0; count = in.read(piece)) {
                bytes += count;
            }
        } catch (IOException _) {
            return bytes;
        }
        throw new AssertionError("it ended as if it were whole, after " + bytes + " bytes");
    }

    @Test
    void aSandboxThatIsGoneInTheMiddleOfAnUpload() throws Exception {
        try (var socket = new Socket(url.getHost(), url.getPort())) {
            socket.setSoTimeout(60_000);
            OutputStream out = socket.getOutputStream();
            out.write(("POST /files?path=/tmp/up HTTP/1.1\r\nHost: localhost\r\nE2b-Sandbox-Id: " + box.id() + "\r\nE2b-Sandbox-Port: 49983\r\nX-Access-Token: " + box.token()
                    + "\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
            out.write(new byte[500_000]);
            out.flush();
            kill(box);
            out.write(new byte[500_000]);
            out.flush();
            assertThat(new String(socket.getInputStream().readNBytes(13), StandardCharsets.US_ASCII)).isEqualTo("HTTP/1.1 502 ");
        }
    }
}
