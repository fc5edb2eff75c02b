package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The preset that set-up writes, from package clients that are scripts of this test.
@Timeout(value = 1, unit = TimeUnit.MINUTES)
class RegistriesPresetTest {
    private static final Path STEP = Path.of("..", "deploy", "registries.bash").toAbsolutePath().normalize();

    @TempDir
    Path directory;

    /// None of the clients is there.
    @BeforeEach
    void noClients() throws IOException {
        Files.createDirectory(directory.resolve("bin"));
        for (String name : List.of("apt-get", "cargo", "go", "mvn", "npm", "pip", "pip3")) {
            client(name, "exit 127");
        }
    }

    private void client(String name, String script) throws IOException {
        Path program = Files.writeString(directory.resolve("bin").resolve(name), "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private void file(String name, String text) throws IOException {
        Path file = directory.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private Path preset() {
        return directory.resolve("home/egress/presets/package-registries.yaml");
    }

    /// What set-up says, as strict as set-up is with failures.
    private String setUp() throws IOException, InterruptedException {
        String script = """
                set -euo pipefail
                set -o errtrace
                trap '[[ $BASH_SUBSHELL -gt 0 ]] || { echo "failed in line $LINENO"; exit 125; }' ERR
                say() { echo "$*"; }
                home=$1
                source "$2"
                registries_step
                """;
        var builder = new ProcessBuilder("bash", "-c", script, "bash", directory.resolve("home").toString(), STEP.toString()).redirectErrorStream(true);
        builder.environment().keySet().removeIf(name -> name.startsWith("CARGO_"));
        builder.environment().put("PATH", directory.resolve("bin") + ":/usr/bin:/bin");
        builder.environment().put("HOME", directory.toString());
        builder.environment().put("CARGO_REGISTRIES_OURS_INDEX", "sparse+https://ours.example/index/");
        var process = builder.start();
        String said = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
        return said;
    }

    private List<String> rules() throws IOException {
        var lines = Files.readAllLines(preset());
        assertThat(lines.subList(0, 5)).satisfiesExactly(
                line -> assertThat(line).startsWith("# Made by"),
                line -> assertThat(line).startsWith("# "),
                line -> assertThat(line).matches("# sha256 of what follows: [0-9a-f]{64}"),
                line -> assertThat(line).startsWith("about: "),
                line -> assertThat(line).startsWith("rules:"));
        return lines.subList(5, lines.size());
    }

    @Test
    void hasWhereEachClientFetchesFrom() throws Exception {
        client("apt-get", "[ \"$*\" = \"indextargets --format \\$(SITE)\" ] && printf 'http://debian.example\\nhttp://debian.example\\nfile:/srv/debian\\nhttps://user:pass%%40word@private.example:8443\\n'");
        client("go", "case $2 in GOPROXY) echo 'https://Modules.example/path?x|file:///srv/go,direct';; GOSUMDB) echo 'sums.example+abcdef+AbC/d+e=';; esac");
        client("npm", "case \"$*\" in 'config get registry') echo https://shared.example/npm/;; 'config list') printf '; \"user\" config\\n\\n@scope:registry = \"https://scope.example\"\\nproxy = \"http://proxy.example:3128\"\\n';; esac");
        file("lib/pip/_internal/models/index.py", "class PyPI:\n    url = 'https://default.example/'\n    file_storage_domain = 'files.example'\n");
        file("lib/pip/_internal/models/__init__.py", "");
        file("lib/pip/_internal/__init__.py", "");
        file("lib/pip/__init__.py", "");
        client("pip3", "case \"$*\" in --version) echo 'pip 99.1 from " + directory.resolve("lib/pip") + " (python 3.99)';; 'config list') printf \"%s\\n\" \"global.extra-index-url='\\\\nhttps://shared.example/simple\\\\nhttp://192.0.2.7:8080/simple'\" \"global.proxy='http://proxy.example:3128'\";; esac");
        file(".cargo/config.toml", "[registries]\nindex = \"sparse+https://crates.example/index/\"\n[http]\nproxy = \"http://proxy.example:3128\"\n");
        file(".cargo/registry/index/used.example-0123456789abcdef/config.json", "{\"dl\": \"https://packages.example/crates\", \"api\": \"https://api.example\"}");
        file("maven/conf/settings.xml", "<settings xmlns=\"http://schema.example/SETTINGS\"><mirrors><!-- <mirror>\n<url>http://comment.example</url> -- --><mirror><url>https://jars.example/maven2</url></mirror>"
                + "<mirror><url>http://0.0.0.0/</url><blocked>true</blocked></mirror></mirrors><proxies><proxy><host>proxy.example</host></proxy></proxies></settings>");
        Files.delete(directory.resolve("bin/mvn"));
        file("maven/bin/mvn", "");
        Files.setPosixFilePermissions(directory.resolve("maven/bin/mvn"), PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.createSymbolicLink(directory.resolve("bin/mvn"), directory.resolve("maven/bin/mvn"));

        assertThat(setUp()).contains("package-registries").contains(preset().toString());
        assertThat(rules()).containsExactlyInAnyOrder(
                "  - {allow: \"debian.example\", ports: [80], protocols: [http]} # apt",
                "  - {allow: \"private.example\", ports: [8443], protocols: [tls]} # apt",
                "  - {allow: \"ours.example\", ports: [443], protocols: [tls]} # cargo",
                "  - {allow: \"crates.example\", ports: [443], protocols: [tls]} # cargo",
                "  - {allow: \"used.example\", ports: [443], protocols: [tls]} # cargo",
                "  - {allow: \"packages.example\", ports: [443], protocols: [tls]} # cargo",
                "  - {allow: \"modules.example\", ports: [443], protocols: [tls]} # go",
                "  - {allow: \"sums.example\", ports: [443], protocols: [tls]} # go",
                "  - {allow: \"jars.example\", ports: [443], protocols: [tls]} # maven",
                "  - {allow: \"scope.example\", ports: [443], protocols: [tls]} # npm",
                "  - {allow: \"shared.example\", ports: [443], protocols: [tls]} # npm, pip",
                "  - {allow: \"192.0.2.7/32\", ports: [8080], protocols: [http]} # pip",
                "  - {allow: \"default.example\", ports: [443], protocols: [tls]} # pip",
                "  - {allow: \"files.example\", ports: [443], protocols: [tls]} # pip");
        assertThat(Files.readString(preset())).doesNotContain("pass").doesNotContain("user");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(preset()))).isEqualTo("rw-r--r--");
    }

    @Test
    void isMadeAgainUntilSomebodyHasChangedIt() throws Exception {
        client("npm", "echo https://first.example/");
        setUp();
        assertThat(rules()).hasSize(2).anyMatch(line -> line.contains("first.example"));
        assertThat(setUp()).isEmpty();
        client("npm", "echo https://second.example/");
        assertThat(setUp()).contains("package-registries");
        assertThat(rules()).hasSize(2).anyMatch(line -> line.contains("second.example"));
        String changed = Files.readString(preset()).replace("443", "444");
        Files.writeString(preset(), changed);
        client("npm", "echo https://third.example/");
        assertThat(setUp()).isEmpty();
        assertThat(Files.readString(preset())).isEqualTo(changed);
        // One of his own, which has no such line.
        Files.writeString(preset(), "rules: []\n");
        assertThat(setUp()).isEmpty();
        assertThat(Files.readString(preset())).isEqualTo("rules: []\n");
        try (var files = Files.list(preset().getParent())) {
            assertThat(files).containsExactly(preset());
        }
    }

    @Test
    void clientsThatSayNothingOfUseAddNothing() throws Exception {
        client("npm", "echo undefined; echo 'https://'; echo 'https://[2001:db8::1]/'; echo 'https://bad..example/'; echo 'https://port.example:99999/'; echo 'https://dol$lar.example'; echo broken >&2; exit 1");
        client("go", "case $2 in GOPROXY) echo off;; GOSUMDB) echo off;; esac");
        client("pip3", "echo nonsense");
        setUp();
        assertThat(rules()).containsExactly("  - {allow: \"ours.example\", ports: [443], protocols: [tls]} # cargo");
    }
}
