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
            assertThat(front.calls).endsWith("DELETE /s");
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
        for (String word : List.of("run", "up", "down", "status", "key", "ps", "kill", "receipt", "mcp", "doctor", "walk", "bench")) {
            assertThat(new picocli.CommandLine(switch (word) {
                case "run" -> new RunCommand();
                case "up" -> new UpCommand();
                case "down" -> new DownCommand();
                case "status" -> new StatusCommand();
                case "key" -> new KeyCommand();
                case "ps" -> new PsCommand();
                case "kill" -> new KillCommand();
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
}
