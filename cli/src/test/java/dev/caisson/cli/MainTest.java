package dev.caisson.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.client.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The command line as a process of its own, over a stand-in for the front.
@Timeout(120)
class MainTest {
    @TempDir
    Path directory = Path.of("");

    private record Ran(int status, byte[] stdout, String stderr) {
        String text() {
            return new String(stdout, StandardCharsets.UTF_8);
        }
    }

    private static ProcessBuilder caisson(String url, String... args) {
        var command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"), "dev.caisson.cli.Main"));
        command.addAll(List.of(args));
        var builder = new ProcessBuilder(command);
        builder.environment().put("CAISSON_URL", url);
        builder.environment().put("CAISSON_KEY", "e2b_test");
        builder.environment().put("NO_COLOR", "1");
        return builder;
    }

    private Ran run(String url, byte[] input, String... args) throws IOException, InterruptedException {
        var in = Files.write(directory.resolve("stdin"), input);
        var out = directory.resolve("stdout");
        var err = directory.resolve("stderr");
        var process = caisson(url, args).redirectInput(in.toFile()).redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        return new Ran(process.exitValue(), Files.readAllBytes(out), Files.readString(err));
    }

    private StubFront front() throws IOException {
        return new StubFront(Files.createDirectories(directory.resolve("sandbox")));
    }

    @Test
    void theStatusAndTheBytesAreTheCommandsOwn() throws Exception {
        byte[] input = new byte[3_000_000];
        new Random(1).nextBytes(input);
        try (var front = front()) {
            front.denied = "{\"network\":3,\"processes\":1}";
            var ran = run(front.url(), input, "run", "--", "sh", "-c", "cat; printf 'to\\0err' >&2; exit 7");
            assertThat(ran.status()).isEqualTo(7);
            assertThat(ran.stdout()).isEqualTo(input);
            assertThat(ran.stderr()).startsWith("to\0err").endsWith(", ran 134 ms, peak 45 MiB, CPU 90 ms, denied: network 3, processes 1, receipt " + StubFront.ID + "\n");
            assertThat(ran.stderr()).contains("caisson: gvisor, created in ");
            assertThat(front.calls).endsWith("DELETE /s", "GET /s/flows");
        }
    }

    @Test
    void aFileIsSentAndRunAndItsResultFetched() throws Exception {
        var script = Files.writeString(directory.resolve("a.sh"), "echo \"$@\" > result; cat data\n");
        var data = Files.writeString(directory.resolve("data.csv"), "1,2\n");
        try (var front = front()) {
            var ran = run(front.url(), new byte[0], "run", "-q", "--file", data + ":data", "--get", "result:" + directory.resolve("got"), script.toString(), "-x", "y");
            assertThat(ran.stderr()).isEmpty();
            assertThat(ran.text()).isEqualTo("1,2\n");
            assertThat(directory.resolve("got")).hasContent("-x y\n");
        }
    }

    @Test
    void jsonIsOneObjectWithBothOutputs() throws Exception {
        try (var front = front()) {
            var ran = run(front.url(), new byte[0], "run", "--json", "--", "sh", "-c", "printf 'é'; printf '\\377' >&2; exit 3");
            assertThat(ran.status()).isEqualTo(3);
            assertThat(ran.stderr()).isEmpty();
            var json = Json.parseObject(ran.text().strip());
            assertThat(json.text("stdout")).isEqualTo("é");
            assertThat(json.text("stderr_base64")).isEqualTo("/w==");
            assertThat(json.whole("status")).isEqualTo(3);
            assertThat(json.object("receipt").text("id")).isEqualTo(StubFront.ID);
        }
    }

    @Test
    void anEmulatedWallIsCalledThatWhereverItIsNamed() throws Exception {
        String emulated = "microvm (qemu-tcg, emulated: not a security boundary)";
        try (var front = front()) {
            front.wall = "\"tier\":\"microvm\",\"driver\":\"qemu-tcg\",\"isolation\":\"emulated: not a security boundary\"";
            front.standing = """
                    "tiers":["gvisor"],"drivers":[
                      {"name":"firecracker","tier":"microvm","program":"firecracker","fit":false,"unfit":"no /dev/kvm"},
                      {"name":"qemu-tcg","tier":"microvm","isolation":"emulated: not a security boundary","program":"qemu-system-x86_64","fit":true},
                      {"name":"gvisor","tier":"gvisor","program":"runsc","fit":true}],
                    "policy":{"shared":true,"floor":"microvm","accepts_emulated":false,"unmet":{"code":"tier-unavailable","message":"tier microvm is only emulated here","remedy":"accept it"}}""";
            assertThat(run(front.url(), new byte[0], "run", "--", "true").stderr()).startsWith("caisson: " + emulated + ", created in ");
            var result = Json.parseObject(run(front.url(), new byte[0], "run", "--json", "--", "true").text().strip());
            assertThat(result.text("driver")).isEqualTo("qemu-tcg");
            assertThat(result.text("isolation")).isEqualTo("emulated: not a security boundary");
            assertThat(result.object("receipt").text("isolation")).isEqualTo("emulated: not a security boundary");
            assertThat(run(front.url(), new byte[0], "ps").text()).contains(emulated);
            var status = run(front.url(), new byte[0], "status");
            assertThat(status.text()).contains("tiers: gvisor, " + emulated);
            assertThat(status.stderr()).isEqualTo("caisson: untrusted code is refused: tier microvm is only emulated here (accept it)\n");
            var accepting = run(front.url(), new byte[0], "run", "-q", "--accept-emulated", "--", "true");
            assertThat(accepting.stderr()).isEqualTo("caisson: --accept-emulated changes nothing at " + front.url() + ": it runs already, and was started without\n");
            assertThat(front.bodies).allMatch(body -> !body.contains("accept"));
            var doctor = run(front.url(), new byte[0], "doctor");
            assertThat(doctor.status()).isEqualTo(1);
            assertThat(doctor.text()).containsPattern("less  tier microvm +only qemu-tcg, which is emulated: not a security boundary \\(firecracker: no /dev/kvm\\) -> ")
                    .containsPattern("no    untrusted code +tier microvm is only emulated here -> accept it");
            front.standing = front.standing.replace("\"unfit\":\"no /dev/kvm\"", "\"unfit\":\"a guest is being tried\",\"being_tried\":true");
            assertThat(run(front.url(), new byte[0], "doctor").text()).containsPattern("less  tier microvm +not known yet: this KVM is being tried with a guest -> ask again");
            front.wall = "\"tier\":\"microvm\",\"driver\":\"qemu\"";
            assertThat(run(front.url(), new byte[0], "run", "--", "true").stderr()).startsWith("caisson: microvm (qemu), created in ");
        }
    }

    @Test
    void aRefusalIsOneLineThatSaysWhatToDo() throws Exception {
        try (var front = front()) {
            front.refuse.put("POST /sandboxes", "{\"code\":\"template-not-found\",\"status\":404,\"detail\":\"there is no template 'x'\",\"remedy\":\"choose base\"}");
            var ran = run(front.url(), new byte[0], "run", "--template", "x", "--", "true");
            assertThat(ran.status()).isEqualTo(125);
            assertThat(ran.stderr()).isEqualTo("caisson: there is no template 'x' (choose base)\n");
        }
    }

    @Test
    void theSandboxGoesWhenItsCommandCannotBeStarted() throws Exception {
        try (var front = front()) {
            front.refuse.put("POST /s/commands", "{\"code\":\"program-not-found\",\"status\":400,\"detail\":\"no program 'x'\",\"remedy\":\"name another\"}");
            var ran = run(front.url(), new byte[0], "run", "-q", "--", "x");
            assertThat(ran.status()).isEqualTo(125);
            assertThat(ran.stderr()).isEqualTo("caisson: no program 'x' (name another)\n");
            assertThat(front.calls).endsWith("DELETE /s");
        }
    }

    @Test
    void whatIsMissingOfFilesIsSaidAfterTheRun() throws Exception {
        try (var front = front()) {
            front.refuse.put("GET /s/files", "{\"code\":\"file-not-found\",\"status\":404,\"detail\":\"no file 'r'\",\"remedy\":\"look\"}");
            var ran = run(front.url(), new byte[0], "run", "-q", "--get", "r:" + directory.resolve("r"), "--", "true");
            assertThat(ran.status()).isEqualTo(125);
            assertThat(ran.stderr()).isEqualTo("caisson: --get r: no file 'r' (look)\n");
        }
    }

    @Test
    void ctrlCInterruptsTheCommandAndASecondOneKillsIt() throws Exception {
        try (var front = front()) {
            var out = directory.resolve("out");
            var process = caisson(front.url(), "run", "-q", "--", "sh", "-c", "trap 'echo no' INT; echo ready; while :; do sleep 0.05; done")
                    .redirectInput(Path.of("/dev/null").toFile()).redirectOutput(out.toFile()).redirectError(directory.resolve("err").toFile()).start();
            await(() -> Files.readString(out).equals("ready\n"));
            new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
            await(() -> Files.readString(out).equals("ready\nno\n"));
            new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
            assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).isEqualTo(137);
            assertThat(front.calls).endsWith("DELETE /s");
        }
    }

    @Test
    void termDeletesTheSandboxFirst() throws Exception {
        try (var front = front()) {
            var process = caisson(front.url(), "run", "-q", "--", "sleep", "60").redirectErrorStream(true).start();
            await(() -> front.calls.contains("POST /s/commands"));
            process.destroy();
            assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).isEqualTo(143);
            assertThat(front.calls).contains("DELETE /s");
        }
    }

    @Test
    void aReaderThatGoesAwayEndsTheRun() throws Exception {
        try (var front = front()) {
            var process = caisson(front.url(), "run", "-q", "--", "yes").redirectError(directory.resolve("err").toFile()).redirectInput(Path.of("/dev/null").toFile()).start();
            assertThat(process.getInputStream().read()).isEqualTo('y');
            process.getInputStream().close();
            assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).isEqualTo(141);
            assertThat(front.calls).endsWith("DELETE /s");
        }
    }

    private interface Condition {
        boolean holds() throws IOException;
    }

    private static void await(Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.holds()) {
            assertThat(System.nanoTime()).as("still not so after 30 s").isLessThan(deadline);
            Thread.onSpinWait();
        }
    }

    @Test
    void wrongUseNamesTheNearest() throws Exception {
        var option = run("http://127.0.0.1:1", new byte[0], "run", "--memroy", "1g", "--", "true");
        assertThat(option.status()).isEqualTo(125);
        assertThat(option.stderr()).contains("--memroy").contains("did you mean --memory").hasLineCount(1);
        var word = run("http://127.0.0.1:1", new byte[0], "staus");
        assertThat(word.status()).isEqualTo(125);
        assertThat(word.stderr()).contains("staus").contains("did you mean status").hasLineCount(1);
    }

    @Test
    void everyWordHasItsHelp() throws Exception {
        for (String word : List.of("run", "up", "down", "status", "key", "ps", "kill", "egress", "receipt", "mcp", "doctor", "walk", "bench")) {
            assertThat(new picocli.CommandLine(switch (word) {
                case "run" -> new RunCommand();
                case "up" -> new UpCommand();
                case "down" -> new DownCommand();
                case "status" -> new StatusCommand();
                case "key" -> new KeyCommand();
                case "ps" -> new PsCommand();
                case "kill" -> new KillCommand();
                case "egress" -> new EgressCommand();
                case "receipt" -> new ReceiptCommand();
                case "doctor" -> new DoctorCommand();
                case "walk" -> new WalkCommand();
                case "mcp" -> new McpCommand();
                default -> new BenchCommand();
            }).getUsageMessage(picocli.CommandLine.Help.Ansi.OFF)).as(word).contains("--help").contains(word);
        }
        var help = run("http://127.0.0.1:1", new byte[0], "--help");
        assertThat(help.status()).isZero();
        assertThat(help.text()).contains("run", "doctor", "Examples:");
        assertThat(run("http://127.0.0.1:1", new byte[0], "--version").text()).isEqualTo("caisson 0.1.0\n");
    }

    @Test
    void nobodyThereIsSaidWithTheWayOut() throws Exception {
        var ran = run("http://127.0.0.1:1", new byte[0], "ps");
        assertThat(ran.status()).isEqualTo(125);
        assertThat(ran.stderr()).startsWith("caisson: the connection to http://127.0.0.1:1 failed").contains("caisson up").hasLineCount(1);
    }

    private static final String FLOWS = """
            [{"number":1,"began_at":"2026-01-01T00:00:00Z","ended_at":"2026-01-01T00:00:01Z","host":"api.example.com","protocol":"dns","rule":"request:1","allowed":true,"sent_bytes":0,"received_bytes":0,"count":1},
             {"number":2,"began_at":"2026-01-01T00:00:00.5Z","ended_at":"2026-01-01T00:00:01Z","host":"api.example.com","address":"192.0.2.7","port":443,"protocol":"tls","request":"GET /a\\u001b[2Jb",
              "rule":"request:1","allowed":true,"sent_bytes":2048,"received_bytes":17,"count":3},
             {"number":3,"began_at":"2026-01-01T00:00:01Z","ended_at":"2026-01-01T00:00:01Z","host":"evil.example","address":"","port":443,"protocol":"tls","rule":"request:default",
              "allowed":false,"reason":"no rule allows it","sent_bytes":0,"received_bytes":0,"count":2}]""";

    @Test
    void whatWasReachedIsSaidAfterTheRun() throws Exception {
        try (var front = front()) {
            front.flows = FLOWS;
            var ran = run(front.url(), new byte[0], "run", "--allow", "api.example.com", "--", "true");
            assertThat(ran.stderr()).startsWith("caisson: egress: 3 allowed, 2 denied (evil.example:443 x2)\ncaisson: gvisor, created in ");
            assertThat(front.bodies.getFirst()).contains("\"egress\":{\"allow\":[\"api.example.com\"],\"mode\":\"list\"}");
            assertThat(front.calls).endsWith("DELETE /s", "GET /s/flows");
            assertThat(run(front.url(), new byte[0], "run", "-q", "--allow", "api.example.com", "--", "true").stderr()).isEmpty();
            var json = Json.parseObject(run(front.url(), new byte[0], "run", "--json", "--allow", "api.example.com", "--", "true").text().strip());
            assertThat(json.list("egress")).hasSize(3);
        }
    }

    @Test
    void aSecretGoesToTheFrontAndNowhereElse() throws Exception {
        var file = Files.writeString(directory.resolve("token"), "hunter2-and-more\n");
        try (var front = front()) {
            var ran = run(front.url(), new byte[0], "run", "--json", "--secret", "TOKEN=file:" + file + "@api.example.com", "--", "true");
            assertThat(front.bodies.getFirst()).contains("\"secrets\":[{\"name\":\"TOKEN\",\"value\":\"hunter2-and-more\",\"hosts\":[\"api.example.com\"]}]");
            assertThat(ran.text() + ran.stderr()).doesNotContain("hunter2");
            var wrong = run(front.url(), new byte[0], "run", "--secret", "TOKEN=hunter2-and-more@api.example.com", "--", "true");
            assertThat(wrong.status()).isEqualTo(125);
            assertThat(wrong.stderr()).contains("list of processes").doesNotContain("hunter2").hasLineCount(1);
        }
    }

    @Test
    void theFlowLogIsATableThatCannotSpeakToTheTerminal() throws Exception {
        try (var front = front()) {
            front.flows = FLOWS;
            var table = run(front.url(), new byte[0], "egress", StubFront.ID);
            assertThat(table.text()).doesNotContain("\u001b").contains("api.example.com:443 GET /a?[2Jb", "evil.example:443", "denied", "request:default", "no rule allows it", "2 KiB").hasLineCount(4);
            assertThat(run(front.url(), new byte[0], "egress", "--json", StubFront.ID).text().lines().map(line -> Json.parseObject(line).whole("number"))).containsExactly(1L, 2L, 3L);
        }
    }

    @Test
    void followingEndsWithTheSandbox() throws Exception {
        try (var front = front()) {
            front.flows = FLOWS;
            front.refuse.put("GET /s", "{\"code\":\"sandbox-not-found\",\"status\":404,\"detail\":\"no\",\"remedy\":\"no\"}");
            var followed = run(front.url(), new byte[0], "egress", "--follow", "--json", StubFront.ID);
            assertThat(followed.status()).isZero();
            assertThat(followed.text()).hasLineCount(3);
            assertThat(front.calls).endsWith("GET /s", "GET /s/flows");
        }
    }

    @Test
    void rulesAreChangedWhileItRuns() throws Exception {
        try (var front = front()) {
            var changed = run(front.url(), new byte[0], "egress", StubFront.ID, "--allow", "*.example.com", "--deny", "x.example.com", "--json");
            assertThat(changed.stderr()).isEmpty();
            assertThat(front.bodies.getLast()).isEqualTo("{\"allow\":[\"*.example.com\"],\"deny\":[\"x.example.com\"],\"mode\":\"list\"}");
            assertThat(Json.parseObject(changed.text().strip()).list("layers")).hasSize(1);
            assertThat(run(front.url(), new byte[0], "egress", StubFront.ID, "--mode", "none").status()).isZero();
            assertThat(front.bodies.getLast()).isEqualTo("{\"mode\":\"none\"}");
            assertThat(run(front.url(), new byte[0], "egress", StubFront.ID, "--mode", "all").stderr()).isEqualTo("caisson: there is no --mode 'all' (choose none, list or open)\n");
            assertThat(run(front.url(), new byte[0], "egress", StubFront.ID, "--rules").text()).contains("\"request\"");
        }
    }
}
