package dev.caisson.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.TemplateName;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import org.junit.jupiter.api.Test;

class RecipeTest {
    private static final TemplateName NAME = new TemplateName("small");
    private static final String TEXT = """
            # a comment
            suite bookworm
            time 2026-01-01T00:00:00Z
            package bash jq
            package git
            setup
            echo hello
            suite is not read here
            """;

    @Test
    void readsEveryLine() {
        var recipe = Recipe.parse(NAME, TEXT);
        assertThat(recipe.suite()).isEqualTo("bookworm");
        assertThat(recipe.time()).isEqualTo(Instant.parse("2026-01-01T00:00:00Z"));
        assertThat(recipe.packages()).containsExactly("bash", "jq", "git");
        assertThat(recipe.setup()).isEqualTo("echo hello\nsuite is not read here\n");
    }

    @Test
    void anotherByteIsAnotherDigest() {
        var digests = new HashSet<String>();
        digests.add(Recipe.parse(NAME, TEXT).digest());
        int script = TEXT.indexOf("echo");
        for (int i = script; i < TEXT.length(); i++) {
            digests.add(Recipe.parse(NAME, TEXT.substring(0, i) + '~' + TEXT.substring(i + 1)).digest());
        }
        digests.add(Recipe.parse(NAME, TEXT + "\n").digest());
        digests.add(Recipe.parse(NAME, TEXT.replace("jq", "jr")).digest());
        digests.add(Recipe.parse(NAME, TEXT.replace("a comment", "A comment")).digest());
        assertThat(digests).hasSize(TEXT.length() - script + 4);
    }

    @Test
    void saysWhichLineIsWrong() {
        for (var line : new String[] {"package -rf", "package a;b", "package Upper", "frobnicate", "time yesterday", "suite ../x"}) {
            assertThatThrownBy(() -> Recipe.parse(NAME, "suite bookworm\n" + line + "\n")).isInstanceOf(SandboxException.class).hasMessageContaining("small: line 2");
        }
        assertThatThrownBy(() -> Recipe.parse(NAME, "package bash\n")).hasMessageContaining("no line says the suite");
    }

    @Test
    void buildsOnAnother() {
        var base = Recipe.builtIn(TemplateName.BASE);
        var recipe = Recipe.parse(NAME, "from base\npackage jq\nstart root serve --all; sleep 1\nready 80 30\nmemory 2GiB\ncpus 1.5\nsetup\necho more\n");
        assertThat(recipe.packages()).containsAll(base.packages()).endsWith("jq");
        assertThat(recipe.setup()).isEqualTo(base.setup() + "\necho more\n");
        assertThat(recipe.suite()).isEqualTo(base.suite());
        assertThat(recipe.start()).contains(new StartCommand("root", "serve --all; sleep 1", 80, Duration.ofSeconds(30)));
        assertThat(recipe.limits()).extracting(Limits::cpus, Limits::memory).containsExactly(new Cpus(1500), ByteSize.gib(2));
        assertThat(base.start()).isEmpty();
        assertThat(base.limits()).isEqualTo(Limits.DEFAULT);
    }

    @Test
    void aStartCommandNeedsToSayWhenItIsReady() {
        for (var line : new String[] {"start root", "start Root serve", "ready 0 1", "ready 80", "ready 80 0", "file /a/../b 0644", "file relative 0644", "file /a 9", "memory much"}) {
            assertThatThrownBy(() -> Recipe.parse(NAME, "from base\n" + line + "\n")).as(line).isInstanceOf(SandboxException.class);
        }
        assertThatThrownBy(() -> Recipe.parse(NAME, "from base\nstart root serve\n")).hasMessageContaining("there is only one");
    }

    @Test
    void theCodeInterpreterHasItsFiles() {
        var recipe = Recipe.builtIn(new TemplateName("code-interpreter-v1"));
        assertThat(recipe.files()).extracting(AddedFile::path).contains("/usr/lib/python3/dist-packages/caisson_interpreter/__main__.py");
        assertThat(recipe.files()).allSatisfy(file -> assertThat(file.content()).isNotBlank());
        assertThat(recipe.start()).isPresent();
    }

    @Test
    void theBuiltInBaseIsWhole() {
        var base = Recipe.builtIn(TemplateName.BASE);
        assertThat(base.packages()).contains("bash", "coreutils", "python3", "python3-pip", "nodejs", "npm", "git", "curl", "ca-certificates", "build-essential", "sudo");
        assertThat(base.setup()).contains("--uid 1000");
    }
}
