package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PresetsTest {
    @TempDir
    Path directory;

    @Test
    void thoseThatComeWithTheProgramAreThere() {
        var presets = new Presets(directory.resolve("nowhere"));
        assertThat(presets.names()).containsExactly("git-hosting", "model-apis");
        for (String name : presets.names()) {
            var preset = presets.preset(name);
            assertThat(preset.about()).isNotEmpty();
            assertThat(preset.file()).isEmpty();
            assertThat(preset.rules()).hasSizeGreaterThan(5).allSatisfy(rule -> {
                assertThat(rule.action()).isEqualTo(EgressRule.Action.ALLOW);
                assertThat(rule.protocols()).isEqualTo(Set.of(EgressProtocol.TLS));
                assertThat(rule.name()).startsWith(name + ".");
            });
        }
        assertThat(presets.rules("model-apis").getFirst()).isEqualTo(EgressRule.allow("api.anthropic.com/tls").withName("model-apis.1"));
    }

    @Test
    void theOperatorsGoFirst() throws IOException {
        write("model-apis", "rules: [one.example]");
        write("ours", "about: Our own.\nrules:\n  - two.example:8443\n  - {allow: '*.three.example', name: three, methods: [GET]}\n");
        Files.writeString(directory.resolve("Not A Name.yaml"), "");
        Files.writeString(directory.resolve("ours.txt"), "");
        var presets = new Presets(directory);
        assertThat(presets.names()).containsExactly("git-hosting", "model-apis", "ours");
        assertThat(presets.rules("model-apis")).containsExactly(EgressRule.allow("one.example").withName("model-apis.1"));
        assertThat(presets.rules("ours")).extracting(EgressRule::name).containsExactly("ours.1", "ours.three");
        assertThat(presets.preset("ours").about()).isEqualTo("Our own.");
        write("late", "rules: [late.example]");
        assertThat(presets.rules("late")).hasSize(1);
    }

    @Test
    void oneThatIsNotThereIsRefusedWithThoseThatAre() throws IOException {
        write("ours", "rules: []");
        for (String name : List.of("nothing", "", "../ours", "OURS", "ours.yaml", "/etc/passwd", "a".repeat(50), "ours\u0000")) {
            assertThatThrownBy(() -> new Presets(directory).rules(name)).as(name).isInstanceOfSatisfying(SandboxException.class, e -> {
                assertThat(e.failure().message()).startsWith("there is no preset '");
                assertThat(e.failure().remedy()).isEqualTo("those there are: git-hosting, model-apis, ours");
            });
        }
    }

    @Test
    void mistakesAreNamedWithTheirFile() throws IOException {
        write("bad", "rules: [{allow: a.example, port: 1}]");
        assertThatThrownBy(() -> new Presets(directory).rules("bad")).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.failure().message()).isEqualTo("the preset bad cannot be used: unknown key 'rules[0].port'");
            assertThat(e.failure().remedy()).contains(directory.resolve("bad.yaml").toString());
        });
        write("bad", "rules: [a.example]\nmore: 1");
        assertThatThrownBy(() -> new Presets(directory).rules("bad")).hasMessageContaining("unknown key 'more'");
        write("bad", "rules: [169.254.169.254]");
        assertThatThrownBy(() -> new Presets(directory).rules("bad")).hasMessageContaining("metadata");
        write("bad", "rules: [{preset: model-apis}]");
        assertThatThrownBy(() -> new Presets(directory).rules("bad")).isInstanceOf(SandboxException.class);
    }

    private void write(String name, String text) throws IOException {
        Files.writeString(directory.resolve(name + ".yaml"), text);
    }
}
