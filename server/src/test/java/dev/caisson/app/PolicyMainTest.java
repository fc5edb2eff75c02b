package dev.caisson.app;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.json.Forms;
import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.Flow;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PolicyMainTest {
    private static final String LINES = flow("a.example", 443, "", true) + "\n" + flow("b.example", 443, "POST /v1/x", true) + "\n\n" + flow("c.example", 80, "", false) + "\n";
    @TempDir
    Path directory;
    private String log = "";
    private String rules = "";
    private String input = "";
    private String said = "";
    private String failed = "";

    @BeforeEach
    void files() throws IOException {
        log = file("log.json", LINES);
        rules = file("rules.yaml", "rules:\n  - a.example\n  - {allow: b.example, methods: [GET]}\n  - c.example\n");
    }

    @Test
    void explainsWhatWouldEndOtherwise() {
        assertThat(run("explain", "--from", log, rules)).isZero();
        assertThat(said).isEqualTo("""
                b.example:443 tls POST /v1/x: allowed by request:9 → denied by request:default (no rule of layer request allows this request to b.example), 3 times, 10 bytes
                c.example:80 tls: denied by request:9 → allowed by request:3, 3 times, 10 bytes
                6 of 9 attempts would end otherwise
                """);
        assertThat(run("explain", rules, "--from", log, "--json")).isZero();
        JsonObject json = JsonObject.parse(said.getBytes(StandardCharsets.UTF_8));
        assertThat(json.whole("changed", 0, 100)).isEqualTo(6);
        assertThat(said).contains("{\"place\":\"b.example\",\"port\":443,\"protocol\":\"tls\",\"request\":\"POST /v1/x\",\"allowed_before\":true,\"rule_before\":\"request:9\",\"allowed\":false,\"rule\":\"request:default\"");
    }

    @Test
    void endsWithOneWhenAskedToCheck() throws IOException {
        assertThat(run("explain", "--from", log, rules, "--check")).isEqualTo(1);
        String same = file("same.yaml", "mode: open\nrules: [{deny: c.example}]");
        assertThat(run("explain", "--from", log, same, "--check")).isZero();
        assertThat(said).isEqualTo("0 of 9 attempts would end otherwise\n");
    }

    @Test
    void takesALogInItsOtherForms() throws IOException {
        String object = "{\"next\":7,\"flows\":[" + LINES.strip().lines().filter(line -> !line.isBlank()).reduce((a, b) -> a + ",\n" + b).orElseThrow() + "]}";
        assertThat(run("explain", "--from", file("object.json", object), rules)).isZero();
        assertThat(said).endsWith("6 of 9 attempts would end otherwise\n");
        assertThat(run("explain", "--from", file("extra.json", object.replace("{\"number\"", "{\"sandbox\":\"x\",\"number\"")), rules)).isZero();
        assertThat(said).endsWith("6 of 9 attempts would end otherwise\n");
        input = LINES;
        assertThat(run("explain", "--from", "-", rules)).isZero();
        assertThat(said).endsWith("6 of 9 attempts would end otherwise\n");
        assertThat(run("explain", "--from", file("one.json", flow("b.example", 443, "POST /", true)), rules)).isZero();
        assertThat(said).endsWith("3 of 3 attempts would end otherwise\n");
        assertThat(run("explain", "--from", file("none.json", "\n"), rules)).isZero();
        assertThat(said).isEqualTo("0 of 0 attempts would end otherwise\n");
    }

    @Test
    void anOperatorsFileIsJudgedByItsCeiling() throws IOException {
        String operator = file("egress.yaml", "ceiling: {mode: list, rules: [a.example]}\ntenants: {acme: {mode: none}}");
        assertThat(run("explain", "--from", log, operator)).isZero();
        assertThat(said).startsWith("b.example:443 tls POST /v1/x: allowed by request:9 → denied by operator:default");
        assertThat(run("check", operator)).isZero();
        assertThat(said).isEqualTo("operator: mode list, 1 rule\ntenant acme: mode none, 0 rules\n");
        assertThat(run("check", "--json", operator)).isZero();
        assertThat(said).isEqualTo("{\"layers\":[{\"of\":\"operator\",\"name\":\"operator\",\"mode\":\"list\",\"rules\":[{\"allow\":\"a.example\"}]},{\"of\":\"tenant acme\",\"name\":\"tenant\",\"mode\":\"none\",\"rules\":[]}]}\n");
    }

    @Test
    void listsPresets() throws IOException {
        Files.createDirectories(directory.resolve("egress/presets"));
        file("egress/presets/ours.yaml", "about: Our own.\nrules: [a.example]");
        file("egress/presets/broken.yaml", "rules: [a..example]");
        assertThat(run("presets")).isZero();
        assertThat(said).contains("git-hosting", "model-apis").containsPattern("ours +1 rule  Our own\\.  \\(" + directory + "/egress/presets/ours.yaml\\)").containsPattern("broken +unusable");
        assertThat(run("presets", "--json")).isZero();
        assertThat(said).contains("{\"name\":\"ours\",\"about\":\"Our own.\",\"file\":\"" + directory + "/egress/presets/ours.yaml\",\"rules\":[{\"allow\":\"a.example\",\"name\":\"ours.1\"}]}");
        assertThat(run("check", file("preset.yaml", "rules: [{preset: ours}, {preset: model-apis}]"))).isZero();
    }

    @Test
    void whatIsWrongIsOneLine() throws IOException {
        refused("use: caisson policy explain");
        refused("use: caisson policy explain", "explain", rules);
        refused("use: caisson policy explain", "explain", "--from", log);
        refused("use: caisson policy explain", "presets", "more");
        refused("use: caisson policy explain", "check", rules, "--check");
        refused("cannot read", "check", directory.resolve("nowhere").toString());
        refused("cannot read", "explain", "--from", directory.resolve("nowhere").toString(), rules);
        refused("it says nothing", "check", file("empty.yaml", ""));
        refused("unknown key 'ruls'", "check", file("typo.yaml", "ruls: []"));
        refused("unknown key 'rules[0].port'", "check", file("typo.yaml", "rules: [{allow: a.example, port: 1}]"));
        refused("there is no preset 'nothing'", "check", file("preset.yaml", "rules: [{preset: nothing}]"));
        refused("line 2: the JSON cannot be read", "explain", "--from", file("bad.json", flow("a.example", 1, "", true) + "\n{\n"), rules);
        refused("line 2: 'protocol' is missing", "explain", "--from", file("bad.json", LINES.replace("\"protocol\":\"tls\",\"request\":\"POST", "\"request\":\"POST")), rules);
        refused("not a host: 'a..example'", "explain", "--from", file("bad.json", flow("a..example", 1, "", true)), rules);
    }

    private void refused(String says, String... words) {
        assertThat(run(words)).isEqualTo(125);
        assertThat(said).isEmpty();
        assertThat(failed).startsWith("error: ").contains(says).hasLineCount(1);
    }

    private int run(String... words) {
        var all = new ArrayList<>(List.of("--home", directory.toString()));
        all.addAll(List.of(words));
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        int status = PolicyMain.run(all, new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)), new PrintStream(out, true, StandardCharsets.UTF_8), new PrintStream(err, true, StandardCharsets.UTF_8));
        said = out.toString(StandardCharsets.UTF_8);
        failed = err.toString(StandardCharsets.UTF_8);
        return status;
    }

    private String file(String name, String text) throws IOException {
        return Files.writeString(directory.resolve(name), text).toString();
    }

    private static String flow(String host, int port, String request, boolean allowed) {
        var flow = new Flow(1, Instant.EPOCH, Instant.EPOCH, host, "", port, "tls", request, "request:9", allowed, allowed ? "" : "denied: " + host, 4, 6, 3);
        return new String(Forms.FLOW.bytes(flow), StandardCharsets.UTF_8);
    }
}
