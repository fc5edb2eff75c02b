package dev.caisson.microvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.PortHttp;
import dev.caisson.testing.Shell;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// Interpreters that were warm when their machine was frozen: every copy has them at once, with its own variables, and none draws what another draws.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class WarmTest {
    private static final TemplateName NAME = new TemplateName("code-interpreter-v1");
    private static final int PORT = 49_999;

    @RegisterExtension
    static final Installation CAISSON = new Installation().withMicrovms();

    /// A line of code whose value must differ.
    private record Draw(String language, String code) {}

    private static final List<Draw> DRAWS = Stream.of(
            draws("python", "import random; random.random()", "import random; random.Random().random()", "import numpy; float(numpy.random.random())",
                    "import numpy; float(numpy.random.default_rng().random())", "import ssl; ssl.RAND_bytes(16).hex()", "import uuid; str(uuid.uuid4())", "import secrets; secrets.token_hex(16)"),
            draws("js", "Math.random()", "(await import('crypto')).randomBytes(16).toString('hex')", "(await import('crypto')).randomUUID()"),
            draws("bash", "echo $RANDOM$RANDOM$RANDOM", "echo $SRANDOM")).flatMap(List::stream).toList();

    private static List<Draw> draws(String language, String... codes) {
        return Stream.of(codes).map(code -> new Draw(language, code)).toList();
    }

    private static TemplateInfo template() {
        return CAISSON.node().templates().stream().filter(one -> one.name().equals(NAME)).findFirst().orElseThrow();
    }

    private static SandboxSpec spec(Map<String, String> env) {
        var spec = Shell.spec(Tier.MICROVM);
        return new SandboxSpec(NAME, spec.trust(), spec.tier(), template().limits(), Duration.ofMinutes(5), env, Map.of()).withDriver(spec.driver().orElseThrow());
    }

    /// What came of a line of code.
    private static String run(PortHttp at, String language, String code) throws InterruptedException {
        var answer = at.ask("POST", "/execute", "{\"code\": \"" + code + "\", \"language\": \"" + language + "\"}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        var text = Pattern.compile("\"text\": \"((?:[^\"\\\\]|\\\\.)*)\"").matcher(answer.body());
        assertThat(text.find()).as(answer.body()).isTrue();
        assertThat(answer.body()).as(code).doesNotContain("\"type\": \"error\"");
        return text.group(1);
    }

    private static List<String> drawn(Shell shell) throws InterruptedException {
        assertThat(CAISSON.node().commands(shell.id())).as("its start command is in the snapshot, and not started again").singleElement().satisfies(command -> {
            assertThat(command.argv()).startsWith("/bin/sh", "-c");
            assertThat(command.tag()).isEqualTo("start");
            assertThat(command.result()).isEqualTo(Optional.empty());
        });
        var at = new PortHttp(CAISSON.node(), shell.id(), PORT);
        var all = new ArrayList<String>();
        for (Draw draw : DRAWS) {
            all.add(run(at, draw.language(), draw.code()));
        }
        return all;
    }

    @BeforeEach
    void look() {
        Assumptions.assumeTrue(template().digest().isPresent(), "template " + NAME + " is not built: run ./caisson template build " + NAME);
    }

    @Test
    void copiesOfWarmInterpretersDrawDifferently() throws Exception {
        // The first waits for the snapshot.
        var first = CAISSON.shell(spec(Map.of()));
        var second = CAISSON.shell(spec(Map.of()));
        var drawn = AtOnce.<List<String>>all(List.of(() -> drawn(first), () -> drawn(second)));
        for (int i = 0; i < DRAWS.size(); i++) {
            assertThat(drawn.get(0).get(i)).as(DRAWS.get(i).code()).isNotEqualTo(drawn.get(1).get(i));
        }
    }

    @Test
    void warmInterpretersHaveTheVariablesOfTheSandboxThatTheyAreIn() throws Exception {
        var asked = Map.of("python", "import os; os.environ.get('MINE', 'none')", "js", "process.env.MINE || 'none'", "bash", "echo ${MINE:-none}");
        for (String value : List.of("the first's", "$another's")) {
            var shell = CAISSON.shell(spec(Map.of("MINE", value)));
            var at = new PortHttp(CAISSON.node(), shell.id(), PORT);
            for (var each : asked.entrySet()) {
                assertThat(run(at, each.getKey(), each.getValue())).as(each.getKey()).isEqualTo(each.getKey().equals("bash") ? value + "\\n" : value);
            }
            assertThat(shell.run("sh", "-c", "cat /run/caisson-environment").err()).as("another user").contains("Permission denied");
        }
        var at = new PortHttp(CAISSON.node(), CAISSON.shell(spec(Map.of())).id(), PORT);
        for (var each : asked.entrySet()) {
            assertThat(run(at, each.getKey(), each.getValue())).as(each.getKey()).startsWith("none");
        }
    }
}
