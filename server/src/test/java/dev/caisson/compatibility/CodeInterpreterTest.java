package dev.caisson.compatibility;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import dev.caisson.testing.Installation;
import dev.caisson.testing.PortHttp;
import dev.caisson.testing.PortHttp.Answer;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// The template `code-interpreter-v1`, as its clients speak to it, through dial-a-port.
@Tag("machine")
@Timeout(value = 4, unit = TimeUnit.MINUTES)
class CodeInterpreterTest {
    private static final TemplateName NAME = new TemplateName("code-interpreter-v1");
    private static final int PORT = 49_999;

    @RegisterExtension
    static final Installation INSTALLATION = new Installation();

    private static TemplateInfo template() {
        return INSTALLATION.node().templates().stream().filter(one -> one.name().equals(NAME)).findFirst().orElseThrow();
    }

    private static PortHttp interpreter(Duration lease, Map<String, String> env) {
        Assumptions.assumeTrue(template().digest().isPresent(), "template " + NAME + " is not built: run ./caisson template build " + NAME);
        Assumptions.assumeTrue(INSTALLATION.node().status().tiers().contains(Tier.GVISOR), "this machine cannot give tier gvisor");
        var spec = new SandboxSpec(NAME, Trust.UNTRUSTED, Tier.GVISOR, template().limits(), lease, env, Map.of());
        return new PortHttp(INSTALLATION.node(), INSTALLATION.node().create(spec).id(), PORT);
    }

    private static PortHttp interpreter() {
        return interpreter(Duration.ofMinutes(5), Map.of("SANDBOX_VARIABLE", "given at creation"));
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
    }

    /// Runs code and answers the stream, which must be whole.
    private static String run(PortHttp at, String language, String code, String more) throws InterruptedException {
        var answer = at.ask("POST", "/execute", "{\"code\": " + quoted(code) + ", \"language\": " + quoted(language) + more + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        assertThat(answer.body()).endsWith("{\"type\": \"end_of_execution\"}\n");
        return answer.body();
    }

    private static String run(PortHttp at, String language, String code) throws InterruptedException {
        return run(at, language, code, "");
    }

    private static String text(String text) {
        return "\"text\": " + quoted(text);
    }

    @Test
    void pythonKeepsItsStateAndShowsWhatItMakes() throws Exception {
        long start = System.nanoTime();
        var at = interpreter();
        long created = System.nanoTime();
        assertThat(run(at, "python", "x = 1; x")).contains("\"execution_count\": 1", "\"is_main_result\": true", text("1"));
        System.getLogger(CodeInterpreterTest.class.getName()).log(
                System.Logger.Level.INFO, "created in " + (created - start) / 1_000_000 + " ms, first execution after " + (System.nanoTime() - created) / 1_000_000 + " ms more");
        assertThat(run(at, "", "x += 1; print('said'); x")).contains("\"type\": \"stdout\", \"text\": \"said\\n\", \"timestamp\"", text("2"));
        assertThat(run(at, "python", "import sys; print('e', file=sys.stderr)")).contains("\"type\": \"stderr\", \"text\": \"e\\n\"");
        assertThat(run(at, "python", "!pwd")).contains("/home/user");

        assertThat(run(at, "python", "def f():\n    1/0\nf()")).contains("\"type\": \"error\", \"name\": \"ZeroDivisionError\", \"value\": \"division by zero\"", "----> 3 f()");
        assertThat(run(at, "python", "import pandas as pd; pd.DataFrame({'a': [1, None]})")).contains("<table border=", "\"data\": {\"a\": [1.0, null]}");
        assertThat(run(at, "python", "import matplotlib.pyplot as plt\nplt.bar(['a', 'b'], [1, 2], label='g'); plt.title('T'); plt.show()")).contains(
                "\"png\": \"iVBORw0KGgo", "\"chart\": {\"type\": \"bar\", \"title\": \"T\"", "{\"label\": \"b\", \"group\": \"g\", \"value\": 2.0}");
        assertThat(run(at, "python", "from IPython.display import *\ndisplay(Markdown('*m*')); display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')); display(Latex('$l$')); display(Javascript('1'))"))
                .contains("\"markdown\": \"*m*\"", "\"svg\": \"<svg", "\"latex\": \"$l$\"", "\"javascript\": \"1\"");
        assertThat(run(at, "python", "{'k': [1]}")).contains("\"json\": {\"k\": [1]}");
    }

    @Test
    void otherLanguagesKeepTheirsToo() throws Exception {
        var at = interpreter();
        assertThat(run(at, "js", "const a = 5; console.log('said'); a")).contains("\"type\": \"stdout\", \"text\": \"said\\n\"", text("5"));
        assertThat(run(at, "javascript", "const a = 6; import { join } from 'path'; join('x', await Promise.resolve('' + a))")).contains(text("x/6"));
        assertThat(run(at, "js", "throw new TypeError('bad')")).contains("\"name\": \"TypeError\", \"value\": \"bad\"");
        assertThat(run(at, "ts", "const m: string = 'typed'; m")).contains(text("typed"));
        assertThat(run(at, "bash", "cd /tmp; X=5; echo $SANDBOX_VARIABLE")).contains("given at creation\\n");
        assertThat(run(at, "bash", "echo $X $PWD; false")).contains("5 /tmp\\n", "\"name\": \"ExitStatus\", \"value\": \"1\"");

        for (var each : Map.of("python", "import os; os.environ.get('V', 'default')", "js", "process.env.V || 'default'", "bash", "echo ${V:-default}").entrySet()) {
            assertThat(run(at, each.getKey(), each.getValue(), ", \"env_vars\": {\"V\": \"for this run\"}")).as(each.getKey()).contains("for this run");
            assertThat(run(at, each.getKey(), each.getValue())).as(each.getKey()).contains("default");
        }

        assertThat(at.ask("POST", "/execute", "{\"code\": \"1\", \"language\": \"r\"}")).satisfies(answer -> {
            assertThat(answer.status()).isEqualTo(400);
            assertThat(answer.body()).contains("no kernel for 'r'", "python, javascript, typescript, bash");
        });
    }

    @Test
    void contextsAreMadeListedRestartedAndRemoved() throws Exception {
        var at = interpreter();
        assertThat(at.ask("GET", "/health", "")).isEqualTo(new Answer(200, "\"OK\""));
        assertThat(at.ask("GET", "/contexts", "").body()).contains("\"language\": \"python\", \"cwd\": \"/home/user\"", "\"language\": \"javascript\"");
        var made = at.ask("POST", "/contexts", "{\"language\": \"python\", \"cwd\": \"/root\"}");
        assertThat(made.status()).isEqualTo(200);
        Matcher id = Pattern.compile("\"id\": \"([^\"]+)\", \"language\": \"python\", \"cwd\": \"/root\"").matcher(made.body());
        assertThat(id.find()).isTrue();
        var inIt = ", \"language\": null, \"context_id\": " + quoted(id.group(1));
        assertThat(run(at, "python", "y = 1")).doesNotContain("error");
        assertThat(at.ask("POST", "/execute", "{\"code\": \"import os; os.getcwd()\"" + inIt + "}").body()).contains(text("/root"));
        assertThat(at.ask("POST", "/execute", "{\"code\": \"y\"" + inIt + "}").body()).contains("name 'y' is not defined");
        at.ask("POST", "/execute", "{\"code\": \"z = 1\"" + inIt + "}");
        assertThat(at.ask("POST", "/contexts/" + id.group(1) + "/restart", "").status()).isEqualTo(200);
        assertThat(at.ask("POST", "/execute", "{\"code\": \"z\"" + inIt + "}").body()).contains("name 'z' is not defined");
        assertThat(at.ask("DELETE", "/contexts/" + id.group(1), "").status()).isEqualTo(200);
        assertThat(at.ask("POST", "/execute", "{\"code\": \"1\"" + inIt + "}")).isEqualTo(new Answer(404, "Context " + id.group(1) + " not found"));
        assertThat(at.ask("POST", "/execute", "{\"code\": \"1\", \"language\": \"python\", \"context_id\": \"x\"}").status()).isEqualTo(400);
        assertThat(at.ask("POST", "/contexts", "{\"cwd\": \"/nowhere\"}")).satisfies(answer -> {
            assertThat(answer.status()).isEqualTo(400);
            assertThat(answer.body()).contains("/nowhere");
        });
        assertThat(at.ask("POST", "/execute", "no json").status()).isEqualTo(422);
    }

    @Test
    void aClientThatGoesAwayInterruptsItsRun() throws Exception {
        var at = interpreter();
        for (var each : Map.of("python", "import time; time.sleep(300)", "js", "while (true) {}", "bash", "sleep 300").entrySet()) {
            run(at, each.getKey(), "kept=7");
            var gone = at.send("POST", "/execute", "{\"code\": " + quoted(each.getValue()) + ", \"language\": " + quoted(each.getKey()) + "}");
            // Its first line says that the run has begun.
            assertThat(gone.next()).isPresent();
            gone.close();
            var again = run(at, each.getKey(), each.getKey().equals("bash") ? "echo $kept" : "kept");
            assertThat(again).as(each.getKey()).contains("7").doesNotContain("error");
        }
        assertThat(run(at, "python", "import os; os._exit(1)")).contains("\"name\": \"ContextRestarting\"");
        assertThat(run(at, "python", "1 + 1")).contains(text("2"));
    }

    @Test
    void itsServerIsOneOfTheSandboxesCommands() {
        var at = interpreter();
        assertThat(INSTALLATION.node().commands(at.id())).singleElement().satisfies(command -> {
            assertThat(command.argv()).startsWith("/bin/sh", "-c");
            assertThat(command).extracting(CommandInfo::result).isEqualTo(Optional.empty());
        });
    }

    @Test
    void aSandboxThatDoesNotBecomeReadySaysSo() {
        // Python cannot start so, and the lease is over long before the template's patience.
        assertThatThrownBy(() -> interpreter(Duration.ofSeconds(6), Map.of("PYTHONHOME", "/nowhere"))).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(Failure.Code.GUEST_FAILED);
            assertThat(e.failure().message()).contains("code-interpreter-v1 did not become ready");
        });
        assertThat(INSTALLATION.node().list()).isEmpty();
    }
}
