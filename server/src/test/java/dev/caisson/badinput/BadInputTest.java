package dev.caisson.badinput;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.caisson.json.JsonObject;
import dev.caisson.testing.CommandLineInstallation;
import dev.caisson.testing.Launcher;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What people type wrong, at the command line and at the REST API of one installation.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class BadInputTest {
    @RegisterExtension
    static final CommandLineInstallation CAISSON = new CommandLineInstallation();

    private static final List<String> NOBODY = List.of("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups");

    @TempDir
    Path directory = Path.of("");

    /// One line on standard error, with the way out in brackets, and 125.
    private static void refused(Launcher.Ran ran, String... says) {
        assertThat(ran.err()).startsWith("caisson: ").contains(says).endsWith(")\n").hasLineCount(1);
        assertThat(ran.status()).isEqualTo(125);
        assertThat(ran.out()).isEmpty();
    }

    private static void refused(HttpResponse<String> answer, int status, String code, String... says) {
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(status);
        assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/problem+json");
        var problem = JsonObject.parse(answer.body().getBytes(StandardCharsets.UTF_8));
        assertThat(problem.text("code")).isEqualTo(code);
        assertThat(problem.text("detail")).contains(says);
        assertThat(problem.text("remedy")).isNotEmpty();
    }

    private static Launcher.Ran run(String... words) throws Exception {
        var all = new ArrayList<>(List.of("run"));
        all.addAll(List.of(words));
        return CAISSON.caisson().run(all.toArray(String[]::new));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', value = {
            "--template nope      | there is no template 'nope'                   | base",
            "--tier gvizor        | there is no tier 'gvizor'                     | gvisor or container",
            "--tier microvm       | cannot give tier microvm                      | gvisor",
            "--tier container     | untrusted code may not run in tier container  | --tier gvisor",
            "--trust very         | there is no trust 'very'                      | untrusted, reviewed or trusted",
            "--cpus 0             | cpus must be 0.01 to 256, got 0               | in that range",
            "--memory 1MiB        | memory must be 64MiB to 512GiB, got 1MiB      | in that range",
            "--memory lots        | 'lots' is not a size                          | 512MiB",
            "--processes -1       | processes must be 8 to 32768, got -1          | in that range",
            "--disk 99TiB         | disk must be 16MiB to 1TiB, got 99TiB         | in that range",
            "--timeout 25h        | '25h' is out of range                         | at most 24h",
            "--timeout 5          | '5' is not a time                             | 30s",
            "--memroy 1g          | --memroy                                      | did you mean --memory",
    })
    void anUnknownOrExcessiveWishIsNamedWithWhatThereIs(String options, String what, String wayOut) throws Exception {
        var words = new ArrayList<>(List.of(options.split(" ")));
        words.addAll(List.of("--", "true"));
        refused(run(words.toArray(String[]::new)), what, wayOut);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', value = {
            "{\"template\":\"nope\"}              | 404 | template-not-found | there is no template 'nope'",
            "{\"tier\":\"gvizor\"}                | 400 | bad-request        | unknown tier 'gvizor'",
            "{\"tier\":\"container\"}             | 403 | tier-too-weak      | untrusted code may not run in tier container",
            "{\"cpus\":0}                         | 400 | out-of-range       | cpus must be 0.01 to 256",
            "{\"memory_bytes\":1}                 | 400 | out-of-range       | memory must be 64MiB to 512GiB",
            "{\"processes\":-1}                   | 400 | out-of-range       | processes must be 8 to 32768, got -1",
            "{\"disk\":\"99TiB\"}                 | 400 | out-of-range       | disk must be 16MiB to 1TiB",
            "{\"lease_seconds\":1e9}              | 400 | out-of-range       | ease",
            "{\"memroy\":1}                       | 400 | bad-request        | unknown key 'memroy'",
    })
    void theApiRefusesTheSame(String request, int status, String code, String what) throws Exception {
        refused(CAISSON.ask("POST", "/v1/sandboxes", request), status, code, what);
    }

    @Test
    void aFileThatCannotBeSentIsNamed() throws Exception {
        refused(run(directory.resolve("gone.py").toString()), "there is no file " + directory.resolve("gone.py"));
        refused(run("--file", directory.resolve("gone.csv").toString(), "--", "true"), "there is no file " + directory.resolve("gone.csv"));
        refused(run(directory.toString()), directory + " is a directory");
        refused(run("--get", "x:/nope/x", "--", "true"), "there is no directory /nope");
        refused(run("-q", "--", "nope"), "no program \"nope\"");
        refused(run(), "nothing to run");
    }

    @Test
    void aFileLargerThanTheDiskIsRefusedBeforeAndWhileItIsSent() throws Exception {
        byte[] large = new byte[20 << 20];
        new Random(1).nextBytes(large);
        var file = Files.write(directory.resolve("large"), large);
        refused(run("--disk", "16MiB", "--file", file.toString(), "--", "true"), file + " is larger (20 MiB) than the sandbox's disk (16 MiB)", "--disk");
        // Each fits, both do not.
        refused(run("-q", "--disk", "24MiB", "--file", file + ":a", "--file", file + ":b", "--", "true"), "No space left on device", "larger disk");

        var made = JsonObject.parse(CAISSON.ask("POST", "/v1/sandboxes", "{\"disk\":\"16MiB\"}").body().getBytes(StandardCharsets.UTF_8)).text("id");
        refused(CAISSON.ask("PUT", "/v1/sandboxes/" + made + "/files?path=large", large), 507, "disk-full", "No space left on device");
        refused(CAISSON.ask("GET", "/v1/sandboxes/" + made + "/files?path=large", ""), 404, "file-not-found", "large");
        assertThat(CAISSON.ask("DELETE", "/v1/sandboxes/" + made, "").statusCode()).isEqualTo(200);
    }

    @Test
    void binaryInputAndLongArgumentsArriveAsTheyAre() throws Exception {
        byte[] input = new byte[3_000_000];
        new Random(2).nextBytes(input);
        assertThat(CAISSON.caisson().run(input, "run", "-q", "--", "cat").out()).isEqualTo(input);

        String argument = "é".repeat(32 * 1024);
        assertThat(run("-q", "--", "printf", "%s", argument).text()).isEqualTo(argument);
        var tooMany = new ArrayList<>(List.of("-q", "--", "true"));
        for (int i = 0; i < 10; i++) {
            tooMany.add("x".repeat(100_000));
        }
        refused(run(tooMany.toArray(String[]::new)), "the arguments are longer than 896 KiB together", "through stdin or a file");
    }

    /// Nothing is replaced silently: neither where it cannot be said in UTF-8, nor where the locale is the C locale, as under cron.
    @Test
    void namesThatAreNotUtf8AreRefusedAndThoseThatAreArrive() throws Exception {
        refused(CAISSON.caisson().bash("exec \"$CAISSON\" run -q -- echo $'a\\377b'"), "not UTF-8: the argument 'a", "standard input");
        refused(CAISSON.caisson().bash("exec \"$CAISSON\" run -q --env $'A=\\377' -- env"), "not UTF-8: the argument 'A=");
        refused(CAISSON.caisson().bash("cd '" + directory + "' && echo 'print(1)' > $'a\\377.py' && exec \"$CAISSON\" run -q $'a\\377.py'"), "not UTF-8: the argument 'a", "rename the file");
        var inC = CAISSON.caisson().with("LC_ALL", "C").bash("cd '" + directory + "' && echo 'print(open(\"ü\").read(), end=\"\")' > é.py && echo ja > ü && exec \"$CAISSON\" run -q --file ü é.py");
        assertThat(inC.err()).isEmpty();
        assertThat(inC.text()).isEqualTo("ja\n");

        var made = JsonObject.parse(CAISSON.ask("POST", "/v1/sandboxes", "{}").body().getBytes(StandardCharsets.UTF_8)).text("id");
        refused(CAISSON.ask("POST", "/v1/sandboxes/" + made + "/commands?wait=true", "{\"argv\":[\"echo\",\"\u00ff\"]}".getBytes(StandardCharsets.ISO_8859_1)), 400, "bad-request", "not UTF-8");
        refused(CAISSON.ask("GET", "/v1/sandboxes/" + made + "/files?path=a%FFb", ""), 400, "bad-request", "not UTF-8");
        assertThat(CAISSON.ask("DELETE", "/v1/sandboxes/" + made, "").statusCode()).isEqualTo(200);
    }

    /// The JVM would take the first file it opens for them.
    @Test
    void closedDescriptorsAreEmptyOnes() throws Exception {
        var closedInput = CAISSON.caisson().bash("exec \"$CAISSON\" run -q -- wc -c <&-");
        assertThat(closedInput.err()).isEmpty();
        assertThat(closedInput.text().strip()).isEqualTo("0");
        var allClosed = CAISSON.caisson().bash("exec \"$CAISSON\" run -- sh -c 'cat; echo out; echo err >&2; exit 5' <&- >&- 2>&-");
        assertThat(allClosed.status()).isEqualTo(5);
    }

    @Test
    void whoeverIsNotRootIsToldSo() throws Exception {
        var nobody = CAISSON.caisson().in(NOBODY);
        assumeTrue(new ProcessBuilder(Stream.concat(NOBODY.stream(), Stream.of("test", "-x", Launcher.CHECKOUT.resolve("caisson").toString())).toList()).start().waitFor() == 0,
                "strangers cannot reach this checkout");
        for (String word : List.of("run", "ps")) {
            refused(word.equals("run") ? nobody.run("run", "--", "true") : nobody.run(word), "is for root only", "CAISSON_URL");
        }
        refused(nobody.run("up"), "this needs root", "sudo");
        refused(nobody.run("down"), "this needs root", "sudo");
        var doctor = nobody.run("doctor");
        assertThat(doctor.status()).isEqualTo(1);
        assertThat(doctor.text()).contains("no    root", "is for root only", "Untrusted code cannot be run here yet");
    }

    /// Everything above has made and ended sandboxes only; nothing has failed on our side.
    @Test
    void whatIsUpStaysUp() throws Exception {
        refused(CAISSON.caisson().run("up", "--detach"), "it is up already", "caisson down");
        refused(CAISSON.caisson().run("kill", "sbaaaaaaaaaaaaaaaaaa"), "sbaaaaaaaaaaaaaaaaaa");
        refused(CAISSON.caisson().run("receipt", "nope"), "not a sandbox id: 'nope'");
        refused(CAISSON.caisson().run("key", "revoke", "nope"), "there is no key 'nope'");
        refused(CAISSON.caisson().run("staus"), "did you mean", "status");
        assertThat(CAISSON.caisson().run("status").text()).contains("0 leaked");
    }
}
