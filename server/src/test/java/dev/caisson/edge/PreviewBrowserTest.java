package dev.caisson.edge;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.client.Caisson;
import dev.caisson.client.CommandOptions;
import dev.caisson.client.Json;
import dev.caisson.client.SandboxOptions;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Servers;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Base64;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// What a developer sees: a Vite dev server in a gVisor sandbox, opened by a signed link in headless Chromium (`compat/preview`). Packages are installed on this
/// machine below `target/`, since the sandbox has no network.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class PreviewBrowserTest {
    @RegisterExtension
    static final Installation INSTALLATION = new Installation();

    private static final Path SOURCES = Path.of("..", "compat", "preview").toAbsolutePath().normalize();
    private static final Path WORK = Path.of("target", "compat-preview").toAbsolutePath();
    private static final int PORT = 5173;

    @BeforeAll
    static void installPackages() throws Exception {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/chromium")), "no /usr/bin/chromium here: apt-get install chromium");
        for (String part : new String[] {"app", "browser"}) {
            Files.createDirectories(WORK.resolve(part));
            try (var files = Files.list(SOURCES.resolve(part))) {
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    Files.write(WORK.resolve(part).resolve(file.getFileName()), Files.readAllBytes(file));
                }
            }
            run(WORK.resolve(part), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent");
        }
        run(WORK, "tar", "--create", "--gzip", "--owner=0", "--group=0", "--file", "app.tar.gz", "app");
    }

    private static void run(Path directory, String... command) throws IOException, InterruptedException {
        var process = new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
    }

    @Test
    void anEditInTheSandboxShowsInTheBrowserWithoutAReload(@TempDir Path directory) throws Exception {
        var front = Json.parseObject(INSTALLATION.servers().start(Servers.Kind.FRONT, "--listen", "127.0.0.1:0", "--domain", "preview.test", "--tls-listen", "127.0.0.1:0"));
        try (var caisson = Caisson.connect(front.text("url"), front.text("key")); var sandbox = caisson.create(SandboxOptions.defaults())) {
            sandbox.files().upload(WORK.resolve("app.tar.gz"), "/tmp/app.tar.gz");
            var unpacked = sandbox.run("tar", "--extract", "--file", "/tmp/app.tar.gz", "--directory", "/tmp", "--no-same-owner");
            assertThat(unpacked.status()).as(unpacked.stderrText()).isZero();
            // Its own words go to a file, for whoever looks why it failed.
            sandbox.start(CommandOptions.of("bash", "-c", "cd /tmp/app && exec node_modules/.bin/vite > /tmp/vite.log 2>&1").withTimeout(Duration.ofMinutes(4)));
            var listens = sandbox.run("bash", "-c", "for i in $(seq 600); do (exec 3<>/dev/tcp/127.0.0.1/" + PORT + ") 2>/dev/null && exit 0; sleep 0.1; done; cat /tmp/vite.log >&2; exit 1");
            assertThat(listens.status()).as(listens.stderrText()).isZero();

            Path log = directory.resolve("browser.log");
            var builder = new ProcessBuilder("node", "hmr.mjs", sandbox.link(PORT, Duration.ofMinutes(5)).url().toString(), keyHash(front.text("ca")), directory.resolve("profile").toString())
                    .directory(WORK.resolve("browser").toFile()).redirectError(log.toFile());
            builder.environment().put("HOME", directory.toString());
            var browser = builder.start();
            try (var said = new BufferedReader(new InputStreamReader(browser.getInputStream(), StandardCharsets.UTF_8))) {
                assertThat(said.readLine()).as(() -> text(log)).isEqualTo("first");
                sandbox.files().write("/tmp/app/text.js", "export const text = 'second'\n".getBytes(StandardCharsets.UTF_8));
                assertThat(said.readLine()).as(() -> text(log)).isEqualTo("second on the same page");
                assertThat(browser.waitFor(30, TimeUnit.SECONDS)).isTrue();
            } finally {
                browser.destroy();
            }
        }
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    /// Of the authority's public key, as Chromium wants to be told whose certificates are good.
    private static String keyHash(String pem) throws Exception {
        var certificate = CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)));
        return Base64.getEncoder().encodeToString(MessageDigest.getInstance("SHA-256").digest(certificate.getPublicKey().getEncoded()));
    }
}
