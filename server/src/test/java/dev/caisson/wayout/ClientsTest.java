package dev.caisson.wayout;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// What people use works through the gateway as if it were not there, with TLS that is passed through and with TLS that is opened.
@Tag("machine")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class ClientsTest {
    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet();

    private static final List<String> HOSTS = List.of("allowed.example", "pip.example", "npm.example", "apt.example", "git.example");

    private static Stream<Arguments> tiersAndWays() {
        return Stream.of(Tier.GVISOR, Tier.CONTAINER).flatMap(tier -> Stream.of(false, true).map(opened -> Arguments.of(tier, opened)));
    }

    /// A sandbox that trusts the test's authority where TLS is passed through, and nothing of the test's where it is opened: then it has its own.
    private static Probes in(Tier tier, boolean opened) throws Exception {
        Egress egress = Rules.list(HOSTS.stream().map(host -> opened ? Rules.opened(host) : Rules.allow(host)).toArray(EgressRule[]::new));
        var probes = Probes.in(CAISSON, tier, egress);
        probes.put("/usr/local/bin/reach", CAISSON.internet().client());
        if (!opened) {
            probes.put("/usr/local/share/ca-certificates/lab.crt", CAISSON.internet().authority());
            // What update-ca-certificates does, without its 150 programs.
            probes.bash("cat /usr/local/share/ca-certificates/lab.crt >> /etc/ssl/certs/ca-certificates.crt");
        }
        return probes;
    }

    /// With the system's trust where TLS is passed through; where it is opened, a sandbox needs no word.
    private static String trusting(boolean opened, String... variables) {
        return opened ? "" : String.join("", Arrays.stream(variables).map(variable -> "export " + variable + "=/etc/ssl/certs/ca-certificates.crt; ").toList());
    }

    @ParameterizedTest
    @MethodSource("tiersAndWays")
    void curlAndWget(Tier tier, boolean opened) throws Exception {
        var probes = in(tier, opened);
        assertThat(probes.bash("curl -sS https://allowed.example/")).contains("\"sni\":\"allowed.example\"").contains(opened ? "HTTP/1.1" : "HTTP/2.0");
        assertThat(probes.bash("curl -sS http://allowed.example/")).contains("\"tls\":false");
        assertThat(probes.bash("wget -qO- https://allowed.example/")).contains("\"sni\":\"allowed.example\"");
        assertThat(probes.bash("curl -sS https://allowed.example/bytes/20000000 | wc -c").strip()).isEqualTo("20000000");
        assertThat(probes.bash("head -c 20000000 /dev/zero > /tmp/up; curl -sS --data-binary @/tmp/up https://allowed.example/count")).contains("\"bytes\":20000000");
        assertThat(probes.bash("curl -sS -H 'Transfer-Encoding: chunked' --data-binary @/tmp/up http://allowed.example/count")).contains("\"bytes\":20000000");
        assertThat(probes.bash("curl -sSN https://allowed.example/events")).contains("data: 0").contains("data: 4");
        assertThat(probes.bash("curl -sS -I https://allowed.example/bytes/5")).containsIgnoringCase("content-length: 5");
        assertThat(probes.bash("for i in 1 2 3; do echo url=https://allowed.example/headers; done | curl -sS -K - -o /dev/null -o /dev/null -o /dev/null -w '%{http_code} %{num_connects};'")).isEqualTo("200 1;200 0;200 0;");
        // The negative twin.
        assertThat(probes.bash("curl -sS -m 5 https://denied.example/")).contains("Could not resolve host");
    }

    @ParameterizedTest
    @MethodSource("tiersAndWays")
    void pip(Tier tier, boolean opened) throws Exception {
        var probes = in(tier, opened);
        String said = probes.bash(trusting(opened, "PIP_CERT") + "python3 -m pip install --no-input --disable-pip-version-check --break-system-packages --target /tmp/wheel --index-url https://pip.example/simple lab-greeting");
        assertThat(said).contains("Successfully installed lab-greeting-1.0");
        assertThat(probes.bash("PYTHONPATH=/tmp/wheel python3 -c 'import lab_greeting; print(lab_greeting.greet())'")).isEqualTo("hello from a wheel\n");
    }

    @ParameterizedTest
    @MethodSource("tiersAndWays")
    void npm(Tier tier, boolean opened) throws Exception {
        var probes = in(tier, opened);
        String said = probes.bash("mkdir /tmp/n; cd /tmp/n; " + trusting(opened, "NODE_EXTRA_CA_CERTS") + "npm install --registry https://npm.example/ --no-audit --no-fund lab-greeting; node -e 'console.log(require(\"lab-greeting\")())'");
        assertThat(said).contains("added 1 package").contains("hello from a tarball");
    }

    @ParameterizedTest
    @MethodSource("tiersAndWays")
    void git(Tier tier, boolean opened) throws Exception {
        var probes = in(tier, opened);
        assertThat(probes.bash("cd /tmp; git clone -q https://git.example/git/greeting.git && cat greeting/greeting")).isEqualTo("hello from a repository\n");
        String branch = "b" + System.nanoTime();
        assertThat(probes.bash("cd /tmp/greeting; git -c user.name=x -c user.email=x@allowed.example commit -q --allow-empty -m more && git push -q origin HEAD:" + branch + " && git ls-remote origin " + branch)).contains("refs/heads/" + branch);
    }

    @ParameterizedTest
    @MethodSource("tiersAndWays")
    void apt(Tier tier, boolean opened) throws Exception {
        var probes = in(tier, opened);
        for (String scheme : List.of("http", "https")) {
            String said = probes.bash("echo 'deb [trusted=yes] " + scheme + "://apt.example/debian ./' > /tmp/lab.list; o='-o Dir::Etc::sourcelist=/tmp/lab.list -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root'\n"
                    + "apt-get $o update && apt-get $o install -y --reinstall lab-greeting; cat /usr/share/lab-greeting");
            assertThat(said).contains("hello from a deb");
            probes.bash("apt-get purge -y lab-greeting");
        }
    }

    @ParameterizedTest
    @MethodSource("tiersAndWays")
    void pythonAndNode(Tier tier, boolean opened) throws Exception {
        var probes = in(tier, opened);
        assertThat(probes.bash(trusting(opened, "SSL_CERT_FILE") + "python3 -c 'import urllib.request; print(urllib.request.urlopen(\"https://allowed.example/\").read().decode())'")).contains("\"sni\":\"allowed.example\"");
        assertThat(probes.bash(trusting(opened, "NODE_EXTRA_CA_CERTS") + "node -e 'fetch(\"https://allowed.example/\").then(r => r.text()).then(console.log)'")).contains("\"sni\":\"allowed.example\"");
    }

    @ParameterizedTest
    @MethodSource("tiersAndWays")
    void goAndWebSocket(Tier tier, boolean opened) throws Exception {
        var probes = in(tier, opened);
        // Opened TLS speaks HTTP/1.1 alone.
        assertThat(probes.bash("reach get https://allowed.example/")).startsWith(opened ? "HTTP/1.1 200" : "HTTP/2.0 200");
        assertThat(probes.bash("reach one https://allowed.example/")).startsWith("HTTP/1.1 200");
        assertThat(probes.bash("reach socket wss://allowed.example/socket")).isEqualTo("one two three \n");
        assertThat(probes.bash("reach socket ws://allowed.example/socket")).isEqualTo("one two three \n");
        assertThat(probes.bash("reach -patience 5s get https://denied.example/")).startsWith("failed: ");
    }

    @ParameterizedTest
    @MethodSource("tiersAndWays")
    void java(Tier tier, boolean opened) throws Exception {
        var probes = in(tier, opened);
        probes.put("/tmp/java.tar", javaWithAClient());
        String trusting = "";
        if (!opened) {
            probes.put("/tmp/lab.p12", storeOf(CAISSON.internet().authority()));
            trusting = "-Djavax.net.ssl.trustStore=/tmp/lab.p12 -Djavax.net.ssl.trustStoreType=PKCS12 ";
        }
        String said = probes.bash("cd /tmp && tar xf java.tar && java/bin/java -Xshare:auto " + trusting + "-cp java Get");
        assertThat(said).contains("\"sni\":\"allowed.example\"");
    }

    /// The test's own Java, as small as it gets, with a program that asks for a page: the template has none.
    private static Path javaWithAClient() throws Exception {
        var made = Path.of(System.getProperty("java.io.tmpdir"), "caisson-java-" + ProcessHandle.current().pid());
        Path tar = made.resolve("java.tar");
        if (!Files.exists(tar)) {
            Files.createDirectories(made);
            String bin = Path.of(System.getProperty("java.home"), "bin").toString();
            Path source = Files.writeString(made.resolve("Get.java"),
                    "class Get { public static void main(String[] a) throws Exception { System.out.println(new String(java.net.URI.create(\"https://allowed.example/\").toURL().openStream().readAllBytes())); } }");
            run(bin + "/jlink", "--add-modules", "java.base", "--strip-debug", "--no-header-files", "--no-man-pages", "--output", made.resolve("java").toString());
            run(bin + "/javac", "-d", made.resolve("java").toString(), source.toString());
            run("tar", "cf", tar.toString(), "-C", made.toString(), "java");
        }
        return tar;
    }

    private static void run(String... command) throws Exception {
        var process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
    }

    private static Path storeOf(Path certificate) throws Exception {
        var store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (var in = Files.newInputStream(certificate)) {
            store.setCertificateEntry("lab", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        Path file = Files.createTempFile("caisson-lab", ".p12");
        try (var out = Files.newOutputStream(file)) {
            store.store(out, null);
        }
        file.toFile().deleteOnExit();
        return file;
    }

    @AfterAll
    static void removeJava() throws Exception {
        run("rm", "-rf", Path.of(System.getProperty("java.io.tmpdir"), "caisson-java-" + ProcessHandle.current().pid()).toString());
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void grpcAndShells(Tier tier) throws Exception {
        var probes = Probes.in(CAISSON, tier, Rules.list(Rules.allow("grpc.example"), Rules.raw("ssh.example", 22), Rules.raw("allowed.example", 7000, 7002)));
        probes.put("/usr/local/bin/reach", CAISSON.internet().client());
        probes.put("/tmp/ca.pem", CAISSON.internet().authority());
        assertThat(probes.bash("reach -ca /tmp/ca.pem grpc grpc.example:443")).isEqualTo("SERVING\n");
        assertThat(probes.bash("reach ssh ssh.example:22")).isEqualTo("ran echo hello\n");
        assertThat(probes.bash("ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR lab@ssh.example 'echo hi'")).isEqualTo("ran echo hi\n");
        assertThat(probes.bash("reach tcp allowed.example:7000 bytes")).isEqualTo("bytes\n");
        // A server that speaks first.
        assertThat(probes.bash("reach tcp allowed.example:7002 x")).startsWith("hello from 192.0.2.10:7002");
        assertThat(probes.bash("reach -patience 5s ssh allowed.example:22")).startsWith("failed: ");
    }
}
