package dev.caisson.api.e2b;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.fake.FakeFiles;
import dev.caisson.sandbox.SandboxId;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URLEncoder;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// `/files`: bytes in and out, by token and by link, and everything that is wrong with either.
@Timeout(60)
class FilesTest {
    @TempDir
    Path directory;

    private House house;
    private SandboxId id;

    @BeforeEach
    void open() {
        house = new House(directory);
        id = house.sandbox();
    }

    @AfterEach
    void close() {
        house.close();
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private HttpRequest.Builder octets(String path, byte[] content) {
        return house.data(id, "/files?path=" + path).header("Content-Type", "application/octet-stream").POST(BodyPublishers.ofByteArray(content));
    }

    private void put(String path, String content) {
        house.send(octets(path, ascii(content))).is(200);
    }

    private House.Answer get(String path, String... headers) {
        var request = house.data(id, "/files?path=" + path);
        return house.send(headers.length == 0 ? request : request.headers(headers));
    }

    private static byte[] gzip(byte[] content) throws IOException {
        var out = new ByteArrayOutputStream();
        try (var packed = new GZIPOutputStream(out)) {
            packed.write(content);
        }
        return out.toByteArray();
    }

    private HttpRequest.Builder form(String query, String boundary, String body) {
        return house.data(id, "/files" + query).header("Content-Type", "multipart/form-data; boundary=" + boundary).POST(BodyPublishers.ofByteArray(ascii(body)));
    }

    private static String part(String name, String filename, String content) {
        return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"" + filename + "\"\r\n\r\n" + content + "\r\n";
    }

    @Test
    void comesBackAsItWasPut() {
        byte[] content = new byte[300_000];
        new java.util.Random(1).nextBytes(content);
        var answer = house.send(octets("/d/a.bin", content).header("X-Metadata-Who", "me")).is(200);
        assertThat(answer.body()).isEqualTo("[{\"path\":\"/d/a.bin\",\"name\":\"a.bin\",\"type\":\"file\",\"metadata\":{\"who\":\"me\"}}]");
        var read = get("/d/a.bin").is(200);
        assertThat(read.response().body()).isEqualTo(content);
        assertThat(read.header("Content-Length")).isEqualTo("300000");
        assertThat(read.header("Content-Disposition")).isEqualTo("inline; filename*=UTF-8''a.bin");
        assertThat(read.header("Vary")).isEqualTo("Accept-Encoding");
        // What a guest wrote never becomes a page of this server's.
        assertThat(read.header("Content-Security-Policy")).isEqualTo("sandbox");
        assertThat(read.header("X-Content-Type-Options")).isEqualTo("nosniff");
        house.send(octets("/empty", new byte[0])).is(200);
        assertThat(get("/empty").is(200).header("Content-Length")).isEqualTo("0");
    }

    @Test
    void ofWhatIsNotThereItTells() {
        put("/a", "x");
        house.unary(id, "filesystem.Filesystem/MakeDir", "{\"path\":\"/d\"}").is(200);
        assertThat(get("/none").refused(404)).isEqualTo("path '/none' does not exist");
        assertThat(get("/d").refused(400)).isEqualTo("path '/d' is a directory");
        get("/a%00b").refused(400);
        get("/" + "x".repeat(5_000)).refused(400);
        get("~other/x").refused(400);
        get("/a&path=/b").refused(400);
        get("/%ff").refused(400);
        house.send(house.data(id, "/files?path=/a").DELETE()).refused(405);
        assertThat(house.send(octets(FakeFiles.FULL, ascii("x"))).refused(507)).isEqualTo("not enough disk space available");
        house.send(house.data(id, "/files").header("Content-Type", "application/octet-stream").POST(BodyPublishers.ofString("x"))).refused(400);
        house.send(house.data(id, "/files?path=/a").header("Content-Type", "text/plain").POST(BodyPublishers.ofString("x"))).refused(400);
        house.send(house.data(id, "/files?path=/a").POST(BodyPublishers.ofString("x"))).refused(400);
        assertThat(get("/a").is(200).body()).isEqualTo("x");
    }

    private String uploadHead(String path, long length) {
        return "POST /files?path=" + path + " HTTP/1.1\r\nHost: localhost\r\nE2b-Sandbox-Id: " + id + "\r\nE2b-Sandbox-Port: 49983\r\nX-Access-Token: " + house.token(id)
                + "\r\nContent-Type: application/octet-stream\r\nContent-Length: " + length + "\r\n\r\n";
    }

    /// Many clients read nothing before they have sent all.
    @Test
    void whoeverIsRefusedWhileStillSendingLearnsWhy() throws Exception {
        try (var socket = house.connect()) {
            var out = socket.getOutputStream();
            out.write(ascii(uploadHead(FakeFiles.FULL, 64 << 20)));
            out.write(new byte[64 << 20]);
            assertThat(new String(socket.getInputStream().readNBytes(13), StandardCharsets.US_ASCII)).isEqualTo("HTTP/1.1 507 ");
        }
    }

    @Test
    void whoeverIsRefusedAndNeverStopsIsCutOff() throws Exception {
        try (var socket = house.connect()) {
            socket.getOutputStream().write(ascii(uploadHead(FakeFiles.FULL, Long.MAX_VALUE)));
            byte[] piece = new byte[1 << 20];
            assertThatThrownBy(() -> {
                for (int i = 0; i < 10_000; i++) {
                    socket.getOutputStream().write(piece);
                }
            }).isInstanceOf(IOException.class);
        }
    }

    @Test
    void metadataIsPrintableAndShort() throws Exception {
        for (String value : List.of("\u00fc", "\u0001", "\u007f")) {
            String answer = house.raw(uploadHead("/a", 1).replace("\r\n\r\n", "\r\nX-Metadata-A: " + value + "\r\nConnection: close\r\n\r\nx"));
            assertThat(answer).startsWith("HTTP/1.1 400 ");
        }
        house.send(octets("/a", ascii("x")).header("X-Metadata-A", "x".repeat(4_097))).refused(400);
        house.send(octets("/a", ascii("x")).header("X-Metadata-" + "n".repeat(247), "v")).refused(400);
        house.send(octets("/a", ascii("x")).header("X-Metadata-A", "1").header("X-Metadata-a", "2")).refused(400);
        get("/a").refused(404);
    }

    @Test
    void partsAndConditions() {
        put("/a", "0123456789");
        var part = get("/a", "Range", "bytes=2-4").is(206);
        assertThat(part.body()).isEqualTo("234");
        assertThat(part.header("Content-Range")).isEqualTo("bytes 2-4/10");
        assertThat(get("/a", "Range", "bytes=-3").is(206).body()).isEqualTo("789");
        assertThat(get("/a", "Range", "bytes=8-100").is(206).body()).isEqualTo("89");
        var beyond = get("/a", "Range", "bytes=10-");
        assertThat(beyond.refused(416)).contains("10 bytes");
        assertThat(beyond.header("Content-Range")).isEqualTo("bytes */10");
        for (String odd : List.of("bytes=1-2,4-5", "bytes=4-1", "lines=1-2", "bytes=--", "bytes=99999999999999999999-")) {
            assertThat(get("/a", "Range", odd).is(200).body()).as(odd).isEqualTo("0123456789");
        }
        // A part is of the bytes as they are, whatever may be packed.
        var packed = get("/a", "Range", "bytes=0-1", "Accept-Encoding", "gzip").is(206);
        assertThat(packed.body()).isEqualTo("01");
        String modified = part.header("Last-Modified");
        assertThat(get("/a", "If-Modified-Since", modified).is(304).body()).isEmpty();
        assertThat(get("/a", "If-Modified-Since", "yesterday").is(200).body()).hasSize(10);
        assertThat(get("/a", "Range", "bytes=0-1", "If-Range", modified).is(206).body()).isEqualTo("01");
        assertThat(get("/a", "Range", "bytes=0-1", "If-Range", "Thu, 01 Jan 1970 00:00:00 GMT").is(200).body()).hasSize(10);
        var head = house.send(house.data(id, "/files?path=/a").HEAD()).is(200);
        assertThat(head.header("Content-Length")).isEqualTo("10");
    }

    @Test
    void packedBothWays() throws Exception {
        house.send(octets("/a", gzip(ascii("plain"))).header("Content-Encoding", "gzip")).is(200);
        assertThat(get("/a").is(200).body()).isEqualTo("plain");
        var packed = get("/a", "Accept-Encoding", "gzip").is(200);
        assertThat(packed.header("Content-Encoding")).isEqualTo("gzip");
        assertThat(new GZIPInputStream(new ByteArrayInputStream(packed.response().body())).readAllBytes()).isEqualTo(ascii("plain"));
        assertThat(get("/a", "Accept-Encoding", "gzip, deflate, zstd").is(200).header("Content-Encoding")).isEmpty();
        get("/a", "Accept-Encoding", "br, identity;q=0").refused(406);
        assertThat(house.send(octets("/b", ascii("not gzip at all")).header("Content-Encoding", "gzip")).refused(400)).contains("gzip");
        byte[] whole = gzip(new byte[100_000]);
        house.send(octets("/b", java.util.Arrays.copyOf(whole, whole.length / 2)).header("Content-Encoding", "gzip")).refused(400);
        house.send(octets("/b", ascii("x")).header("Content-Encoding", "br")).refused(400);
        get("/b").refused(404);
    }

    @Test
    void formsOfManyFiles() throws Exception {
        var answer = house.send(form("", "B", part("file", "/m/one", "1") + part("other", "/m/x", "skipped") + part("file", "/m/two two", "2") + "--B--\r\n")).is(200);
        assertThat(answer.body()).isEqualTo("[{\"path\":\"/m/one\",\"name\":\"one\",\"type\":\"file\"},{\"path\":\"/m/two two\",\"name\":\"two two\",\"type\":\"file\"}]");
        assertThat(get("/m/two%20two").is(200).body()).isEqualTo("2");
        get("/m/x").refused(404);
        // The query names the one file, whatever the part says.
        house.send(form("?path=/named", "B", part("file", "ignored", "n") + "--B--\r\n")).is(200);
        assertThat(get("/named").is(200).body()).isEqualTo("n");
        var packed = house.data(id, "/files").header("Content-Type", "multipart/form-data; boundary=B").header("Content-Encoding", "gzip");
        house.send(packed.POST(BodyPublishers.ofByteArray(gzip(ascii(part("file", "/packed", "p") + "--B--\r\n"))))).is(200);
        assertThat(get("/packed").is(200).body()).isEqualTo("p");
    }

    @Test
    void formsThatAreNone() {
        for (String body : List.of("", "nothing of it", part("file", "/f/cut", "x"), "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"/f/head\"\r\n", "--B\r\n" + "X: y\r\n".repeat(5_000) + "\r\n\r\n--B--\r\n")) {
            house.send(form("", "B", body)).refused(400);
        }
        for (String path : List.of("/f/cut", "/f/head")) {
            get(path).refused(404);
        }
        assertThat(house.send(form("", "B", part("file", "", "x") + "--B--\r\n")).refused(400)).contains("filename");
        assertThat(house.send(form("", "B", part("file", "/f/a", "1") + part("file", "/f/a", "2") + "--B--\r\n")).refused(400)).contains("same path");
        house.send(house.data(id, "/files").header("Content-Type", "multipart/form-data").POST(BodyPublishers.ofString("x"))).refused(400);
        house.send(form("", "B", part("file", "/f/n", "x").repeat(1_500) + "--B--\r\n")).refused(400);
    }

    @Test
    void filesArePutTogether() {
        put("/p/1", "one ");
        put("/p/2", "two");
        var compose = Map.of("{\"source_paths\":[\"/p/1\",\"/none\"],\"destination\":\"/all\"}", 404, "{\"source_paths\":[],\"destination\":\"/all\"}", 400, "{\"source_paths\":\"/p/1\",\"destination\":\"/all\"}", 400,
                "{\"source_paths\":[\"/p/1\"]}", 400, "{\"source_paths\":[\"/p/1\"],\"destination\":\"/p/1\"}", 400, "{\"source_paths\":[\"/p\"],\"destination\":\"/all\"}", 400, "no json", 400);
        for (var each : compose.entrySet()) {
            house.send(house.data(id, "/files/compose").POST(BodyPublishers.ofString(each.getKey()))).refused(each.getValue());
        }
        house.send(house.routed(id, "/files/compose").POST(BodyPublishers.ofString("{\"source_paths\":[\"/p/1\"],\"destination\":\"/all\"}"))).refused(401);
        assertThat(get("/p/1").is(200).body()).isEqualTo("one ");
        var made = house.send(house.data(id, "/files/compose").POST(BodyPublishers.ofString("{\"source_paths\":[\"/p/1\",\"/p/2\"],\"destination\":\"/all\"}"))).is(200);
        assertThat(made.body()).isEqualTo("{\"path\":\"/all\",\"name\":\"all\",\"type\":\"file\"}");
        assertThat(get("/all").is(200).body()).isEqualTo("one two");
        get("/p/1").refused(404);
    }

    /// A link as clients make it: with nothing but the sandbox's token.
    private String link(String path, String operation, String user, String expiration, String token) {
        return "/files?path=" + encoded(path) + (user.isEmpty() ? "" : "&username=" + user) + "&signature=" + encoded(Signature.of(path, operation, user, token, expiration))
                + (expiration.isEmpty() ? "" : "&signature_expiration=" + expiration);
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private House.Answer follow(String link) {
        return house.send(house.request(link));
    }

    @Test
    void linksOpenOneFileForOnePurpose() {
        put("/a", "for you");
        put("/b", "not for you");
        String token = house.token(id);
        String later = Long.toString(House.NOW.getEpochSecond() + 60);
        assertThat(follow(link("/a", "read", "", "", token)).is(200).body()).isEqualTo("for you");
        assertThat(follow(link("/a", "read", "root", later, token)).is(200).body()).isEqualTo("for you");
        assertThat(house.send(house.routed(id, link("/a", "read", "", later, token))).is(200).body()).isEqualTo("for you");
        house.send(house.request(link("/up", "write", "", later, token)).header("Content-Type", "application/octet-stream").POST(BodyPublishers.ofString("up"))).is(200);
        assertThat(get("/up").is(200).body()).isEqualTo("up");

        String read = link("/a", "read", "", later, token);
        for (String forged : List.of(
                read.replace("path=%2Fa", "path=%2Fb"), read + "&username=root", read.replace(later, later + "0"), read.replace("&signature_expiration=" + later, ""), link("/a", "write", "", later, token),
                link("/a", "read", "", later, "x"), link("/a", "read", "", later, house.key), "/files?path=/a&signature=", "/files?path=/a&signature=v1_", "/files?path=/a", "/files")) {
            follow(forged).refused(401);
            house.send(house.routed(id, forged)).refused(401);
        }
        String other = link("/a", "read", "", later, house.token(house.sandbox()));
        house.send(house.routed(id, other)).refused(401);
        house.send(house.request(read).header("Content-Type", "application/octet-stream").POST(BodyPublishers.ofString("over"))).refused(401);
        assertThat(get("/a").is(200).body()).isEqualTo("for you");
    }

    @Test
    void linksExpire() {
        put("/a", "x");
        String now = Long.toString(House.NOW.getEpochSecond());
        String before = Long.toString(House.NOW.getEpochSecond() - 1);
        follow(link("/a", "read", "", now, house.token(id))).is(200);
        assertThat(follow(link("/a", "read", "", before, house.token(id))).refused(401)).isEqualTo("signature is already expired");
        for (String odd : List.of("-1", "soon", "9".repeat(16), "1e9")) {
            follow(link("/a", "read", "", odd, house.token(id))).refused(401);
        }
        // A sandbox that has ended is no sandbox: its links are as good as forged.
        String link = link("/a", "read", "", "", house.token(id));
        house.send(house.control("/sandboxes/" + id).DELETE()).is(204);
        follow(link).refused(401);
    }

    @Test
    void pagesMayCallFromAnywhere() {
        put("/a", "x");
        for (String path : List.of("/process.Process/Start", "/files?path=/a", "/files/compose")) {
            // What a browser asks first has none of the headers that it asks for.
            var asked = house.request(path).header("Origin", "https://page.test").header("Access-Control-Request-Method", "POST")
                    .header("Access-Control-Request-Headers", "e2b-sandbox-id,e2b-sandbox-port,x-access-token,content-type").method("OPTIONS", BodyPublishers.noBody());
            var allowed = house.send(asked).is(204);
            assertThat(allowed.header("Access-Control-Allow-Origin")).isEqualTo("*");
            assertThat(allowed.header("Access-Control-Allow-Methods")).contains("POST");
            assertThat(allowed.header("Access-Control-Allow-Headers")).contains("e2b-sandbox-id");
            assertThat(allowed.header("Access-Control-Allow-Credentials")).isEmpty();
        }
        assertThat(get("/a", "Origin", "https://page.test").is(200).header("Access-Control-Allow-Origin")).isEqualTo("*");
        // A page can read why it was refused, too.
        var refused = get("/none", "Origin", "https://page.test");
        refused.refused(404);
        assertThat(refused.header("Access-Control-Allow-Origin")).isEqualTo("*");
        var forged = house.send(house.request("/files?path=/a&signature=x").header("Origin", "https://page.test"));
        forged.refused(401);
        assertThat(forged.header("Access-Control-Allow-Origin")).isEqualTo("*");
        // Where sandboxes are made and ended no page is let in.
        assertThat(house.send(house.control("/v2/sandboxes").header("Origin", "https://page.test")).is(200).header("Access-Control-Allow-Origin")).isEmpty();
        assertThat(house.send(house.request("/v2/sandboxes").header("Origin", "https://page.test").header("Access-Control-Request-Method", "POST").method("OPTIONS", BodyPublishers.noBody()))
                .header("Access-Control-Allow-Origin")).isEmpty();
    }

    @Test
    void aFileThatShrinksBreaksItsAnswerOff() throws Exception {
        put(FakeFiles.SHRINKING, "0123456789 and more");
        String answer = house.raw("GET /files?path=" + FakeFiles.SHRINKING + " HTTP/1.1\r\nHost: localhost\r\nE2b-Sandbox-Id: " + id + "\r\nE2b-Sandbox-Port: 49983\r\nX-Access-Token: " + house.token(id) + "\r\n\r\n");
        assertThat(answer).contains("Content-Length: 19").endsWith("0123456789");
    }
}
