package dev.caisson.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.egress.Presets;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.TemplateName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EgressFileTest {
    @TempDir
    Path directory;

    @Test
    void whoSaysNothingLimitsNothingAndConsentsToNothing() throws IOException {
        assertThat(read("")).isEqualTo(EgressFile.standard());
        assertThat(read("ceiling: {}")).isEqualTo(EgressFile.standard());
        assertThat(EgressFile.standard().open()).isFalse();
        assertThat(EgressFile.standard().ceiling()).isEqualTo(new EgressLayer("operator", EgressLayer.Mode.OPEN, java.util.List.of()));
        assertThat(EgressFile.standard().policy(true, presets()).isOpen()).isTrue();
    }

    @Test
    void readsEveryKey() throws IOException {
        var file = read("""
                ceiling:
                  open: true
                  mode: list
                  rules:
                    - api.example.com:8443
                    - {deny: 192.0.2.0/24, ports: [25, 8000-8100], name: no-mail}
                    - allow: "*.example.com"
                      methods: [GET]
                      paths: [/v1/*]
                    - preset: ours
                tenants:
                  acme: {mode: open}
                  "9": {mode: none}
                templates:
                  py: {mode: list, rules: [files.example.com]}
                """);
        assertThat(file.open()).isTrue();
        assertThat(file.ceiling().mode()).isEqualTo(EgressLayer.Mode.LIST);
        assertThat(file.ceiling().rules()).hasSize(5).contains(EgressRule.allow("api.example.com:8443"), EgressRule.allow("one.example").withName("ours.1"), EgressRule.allow("two.example").withName("ours.2"));
        assertThat(file.tenants()).containsEntry("acme", new EgressLayer("tenant", EgressLayer.Mode.OPEN, java.util.List.of())).containsKey("9");
        assertThat(file.templates()).containsKey(new TemplateName("py"));
        assertThat(file.policy(false, presets()).isOpen()).isTrue();
        assertThat(file.policy(false, presets()).preset("ours")).hasSize(2);
    }

    @Test
    void refusesByPathAndFile() {
        refused("ceilings: {}", "unknown key 'ceilings'");
        refused("ceiling: {mode: open, rule: []}", "unknown key 'ceiling.rule'");
        refused("ceiling: {rules: [a.example]}", "'ceiling.mode' is missing");
        refused("ceiling: {mode: all}", "'ceiling.mode' cannot be 'all'");
        refused("ceiling: {mode: open, name: x}", "has a 'name'");
        refused("ceiling: {open: 'yes'}", "'ceiling.open' must be true or false");
        refused("tenants: {acme: {rules: []}}", "'tenants.acme.mode' is missing");
        refused("tenants: {acme: null}", "'tenants.acme' says nothing");
        refused("tenants: {Acme: {mode: open}}", "not a tenant");
        refused("tenants: {acme: {mode: open, open: true}}", "unknown key 'tenants.acme.open'");
        refused("templates: {'../x': {mode: open}}", "../x");
        refused("ceiling: {mode: list, rules: [{preset: nothing}]}", "there is no preset 'nothing'");
        refused("ceiling: {mode: list, rules: [{allow: a.example, ports: [0]}]}", "not ports: 0-0");
        refused("ceiling: {mode: list, rules: [*.example.com]}", "a text that starts with * goes into quotes");
        assertThatThrownBy(() -> EgressFile.read(directory.resolve("nowhere"), presets())).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.HOST_UNFIT));
    }

    private Presets presets() {
        try {
            Files.writeString(Files.createDirectories(directory.resolve("presets")).resolve("ours.yaml"), "rules: [one.example, two.example]");
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return new Presets(directory.resolve("presets"));
    }

    private EgressFile read(String text) throws IOException {
        return EgressFile.read(Files.writeString(directory.resolve("egress.yaml"), text), presets());
    }

    private void refused(String text, String says) {
        assertThatThrownBy(() -> read(text)).as(text).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.failure().message()).startsWith(directory.resolve("egress.yaml") + ": ").contains(says);
        });
    }
}
