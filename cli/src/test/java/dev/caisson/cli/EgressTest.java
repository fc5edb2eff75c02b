package dev.caisson.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What the command line makes of wishes for a way out, before anything is sent.
class EgressTest {
    private static final String VALUE = "hunter2-and-more";

    @TempDir
    Path directory = Path.of("");

    private static String sent(String... options) {
        var words = new java.util.ArrayList<>(List.of(options));
        words.addAll(List.of("--", "true"));
        return RunCommand.planOf(words.toArray(String[]::new)).sandbox().toString();
    }

    @Test
    void nothingIsAskedUnlessItIsSaid() {
        assertThat(sent()).isEqualTo("{\"lease_seconds\":360}");
        assertThat(RunCommand.planOf("--", "true").goesOut()).isFalse();
        assertThat(RunCommand.planOf("--egress", "none", "--", "true").goesOut()).isFalse();
        assertThat(RunCommand.planOf("--allow", "x.example", "--", "true").goesOut()).isTrue();
    }

    @Test
    void everyWishReachesTheRequest() throws IOException {
        var rules = Files.writeString(directory.resolve("rules.json"), "[{\"allow\":\"api.example.com\",\"methods\":[\"GET\"]}]");
        assertThat(sent("--allow", "a.example", "--allow", "192.0.2.0/24:22/tcp", "--deny", "b.a.example", "--egress-preset", "model-apis", "--egress-rules", rules.toString())).contains(
                "\"egress\":{\"allow\":[\"a.example\",\"192.0.2.0/24:22/tcp\"],\"deny\":[\"b.a.example\"],\"mode\":\"list\",\"presets\":[\"model-apis\"],"
                        + "\"rules\":[{\"allow\":\"api.example.com\",\"methods\":[\"GET\"]}]}");
        assertThat(sent("--egress", "open", "--deny", "b.example")).contains("\"egress\":{\"deny\":[\"b.example\"],\"mode\":\"open\"}");
        assertThat(sent("--egress", "none")).contains("\"egress\":{\"mode\":\"none\"}");
    }

    @Test
    void wishesThatMakeNoSenseAreRefused() throws IOException {
        refused("none, and rules beside it", "--egress", "none", "--allow", "a.example");
        refused("there is no --egress 'all'", "--egress", "all");
        refused("--deny without anything that is allowed", "--deny", "a.example");
        refused("there is no file", "--egress-rules", directory.resolve("nowhere").toString());
        refused("is not JSON", "--egress-rules", Files.writeString(directory.resolve("a"), "- allow: x").toString());
        refused("is not a list of rules", "--egress-rules", Files.writeString(directory.resolve("b"), "{\"rule\":[]}").toString());
        refused("is not a list of rules", "--egress-rules", Files.writeString(directory.resolve("c"), "[1]").toString());
    }

    private static void refused(String says, String... options) {
        assertThatThrownBy(() -> sent(options)).isInstanceOf(CliException.class).hasMessageContaining(says);
    }

    @Test
    void aSecretComesFromAVariableOrAFile() throws IOException {
        var variables = Map.of("THEIRS", VALUE);
        var ofVariable = SecretWish.parse("TOKEN=env:THEIRS@api.example.com,*.example.org", variables::get);
        assertThat(ofVariable.value()).isEqualTo(VALUE);
        assertThat(ofVariable.hosts()).containsExactly("api.example.com", "*.example.org");
        var file = Files.writeString(directory.resolve("with@at"), VALUE + "\n");
        assertThat(SecretWish.parse("TOKEN=file:" + file + "@h.example", variables::get).value()).as("without the line's end").isEqualTo(VALUE);
        Files.writeString(file, VALUE + "\n\n");
        assertThat(SecretWish.parse("TOKEN=file:" + file + "@h.example", variables::get).value()).as("one of them").isEqualTo(VALUE + "\n");
        assertThat(ofVariable.toString()).contains("TOKEN").doesNotContain(VALUE);
    }

    @Test
    void aPlanNeverTellsTheValue() {
        String path = System.getenv("PATH");
        var plan = RunCommand.planOf("--secret", "TOKEN=env:PATH@api.example.com", "--", "true");
        assertThat(plan.goesOut()).isTrue();
        assertThat(plan.sandbox().toString()).contains("\"name\":\"TOKEN\"", "\"value\":\"***\"", "\"hosts\":[\"api.example.com\"]").doesNotContain(path);
        assertThat(plan.toString()).doesNotContain(path);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "TOKEN=" + VALUE, "TOKEN=" + VALUE + "@api.example.com", "TOKEN=value:" + VALUE + "@api.example.com", VALUE, "=" + VALUE, "1TOKEN=" + VALUE, "TO KEN=" + VALUE,
        "TOKEN=env:A-" + VALUE + "@h.example", "TOKEN=env:" + "@h.example",
    })
    void aValueOnTheCommandLineIsRefusedWithoutSayingItAgain(String text) {
        assertThatThrownBy(() -> SecretWish.parse(text, _ -> null)).isInstanceOfSatisfying(CliException.class, e -> {
            assertThat(e.getMessage()).startsWith("--secret").doesNotContain("hunter2");
            assertThat(e.remedy()).contains("env:").doesNotContain("hunter2");
        });
    }

    @Test
    void aSecretThatIsNotThereIsNamed() throws IOException {
        assertThatThrownBy(() -> SecretWish.parse("TOKEN=env:GONE@h.example", _ -> null)).hasMessage("--secret TOKEN: the variable GONE is not set");
        assertThatThrownBy(() -> SecretWish.parse("TOKEN=env:EMPTY@h.example", _ -> "")).hasMessage("--secret TOKEN is empty");
        assertThatThrownBy(() -> SecretWish.parse("TOKEN=env:A", _ -> VALUE)).hasMessage("--secret TOKEN names no host that it is for");
        assertThatThrownBy(() -> SecretWish.parse("TOKEN=env:A@", _ -> VALUE)).hasMessage("--secret TOKEN names no host that it is for");
        assertThatThrownBy(() -> SecretWish.parse("TOKEN=file:/nowhere/x@h.example", _ -> null)).hasMessage("--secret TOKEN: there is no file /nowhere/x");
        assertThatThrownBy(() -> SecretWish.parse("TOKEN=file:" + directory + "@h.example", _ -> null)).hasMessageContaining("there is no file");
        var large = Files.write(directory.resolve("large"), new byte[17 * 1024]);
        assertThatThrownBy(() -> SecretWish.parse("TOKEN=file:" + large + "@h.example", _ -> null)).hasMessageContaining("larger than 16 KiB");
        var binary = Files.write(directory.resolve("binary"), new byte[] {(byte) 0xFF});
        assertThatThrownBy(() -> SecretWish.parse("TOKEN=file:" + binary + "@h.example", _ -> null)).hasMessageContaining("is not UTF-8");
    }

    @Test
    void theDocumentsCommandLinesAreTaken() throws IOException {
        var lines = Files.readString(Path.of("../docs/egress.md")).lines().filter(line -> line.startsWith("    caisson run ")).map(String::strip).toList();
        assertThat(lines).hasSizeGreaterThanOrEqualTo(4);
        Files.writeString(directory.resolve("script.py"), "");
        for (String line : lines) {
            var words = List.of(line.replace("'", "").replace("env:TOKEN", "env:PATH").split(" ")).subList(2, line.split(" ").length);
            var args = words.stream().map(word -> word.endsWith(".py") ? directory.resolve("script.py").toString() : word).toArray(String[]::new);
            assertThat(RunCommand.planOf(args).goesOut()).as(line).isTrue();
        }
    }
}
