package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SecretBinding;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SealKeyTest {
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final List<HostPattern> HOSTS = List.of(HostPattern.parse("api.example.com"), HostPattern.parse("*.example.org"));
    private static final String VALUE = "sk-Zwölf Boxkämpfer\t'\"";

    private final Path directory;
    private final SealKey key;

    SealKeyTest(@TempDir Path directory) {
        this.directory = directory;
        key = SealKey.openOrMake(directory, RANDOM);
    }

    private SecretBinding bound() {
        return SecretSeal.of(directory.resolve(SealKey.PUBLIC_FILE), RANDOM).bind("TOKEN", HOSTS, Set.of(), SecretValue.taking(VALUE.toCharArray()));
    }

    private static String text(SecretValue value) {
        return new String(value.bytes(), StandardCharsets.UTF_8);
    }

    @Test
    void whatIsSealedForTheFileIsOpenedByTheKey() {
        var binding = bound();
        assertThat(text(key.open(binding))).isEqualTo(VALUE);
        assertThat(Base64.getDecoder().decode(binding.sealed())).isNotEqualTo(VALUE.getBytes(StandardCharsets.UTF_8));
        assertThat(binding.placeholder()).matches("csn-[A-Za-z0-9_-]{32}");
        assertThat(binding.places()).containsExactly(SecretBinding.Place.HEADER);
    }

    @Test
    void theSameValueIsNeverSealedAlikeTwice() {
        var seen = new HashSet<String>();
        for (int i = 0; i < 50; i++) {
            var binding = bound();
            assertThat(seen.add(binding.sealed())).isTrue();
            assertThat(seen.add(binding.placeholder())).isTrue();
        }
    }

    @Test
    void aKeyOpenedAgainOpensWhatWasSealedBefore() {
        var binding = bound();
        assertThat(text(SealKey.openOrMake(directory, RANDOM).open(binding))).isEqualTo(VALUE);
    }

    @Test
    void theFilesHaveTheirModesAndTheDirectoryNothingElse() throws Exception {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve(SealKey.PRIVATE_FILE)))).isEqualTo("rw-------");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve(SealKey.PUBLIC_FILE)))).isEqualTo("rw-r--r--");
        try (var files = Files.list(directory)) {
            assertThat(files).hasSize(2);
        }
    }

    @Test
    void aPublicFileThatWasLostOrChangedIsWrittenAnew() throws Exception {
        Path publicFile = directory.resolve(SealKey.PUBLIC_FILE);
        String before = Files.readString(publicFile);
        Files.delete(publicFile);
        SealKey.openOrMake(directory, RANDOM);
        assertThat(Files.readString(publicFile)).isEqualTo(before);
        Files.writeString(publicFile, "nonsense");
        SealKey.openOrMake(directory, RANDOM);
        assertThat(Files.readString(publicFile)).isEqualTo(before);
    }

    @Test
    void whoeverStartsAtOnceHasOneKey(@TempDir Path fresh) throws Exception {
        try (var pool = Executors.newFixedThreadPool(8)) {
            var opened = new ArrayList<SealKey>();
            for (var each : pool.invokeAll(java.util.Collections.<Callable<SealKey>>nCopies(16, () -> SealKey.openOrMake(fresh, RANDOM)))) {
                opened.add(each.get());
            }
            var binding = opened.getFirst().seal(RANDOM).bind("T", HOSTS, Set.of(), SecretValue.taking("value".toCharArray()));
            assertThat(opened).allSatisfy(each -> assertThat(text(each.open(binding))).isEqualTo("value"));
        }
    }

    @Test
    void aBindingWhoseNameHostsOrPlacesWereChangedDoesNotOpen() {
        var binding = bound();
        var more = new ArrayList<>(HOSTS);
        more.add(HostPattern.parse("evil.example"));
        for (var changed : List.of(
                new SecretBinding("OTHER", binding.placeholder(), HOSTS, binding.places(), binding.sealed()),
                new SecretBinding("TOKEN", binding.placeholder(), more, binding.places(), binding.sealed()),
                new SecretBinding("TOKEN", binding.placeholder(), List.of(HostPattern.parse("evil.example")), binding.places(), binding.sealed()),
                new SecretBinding("TOKEN", binding.placeholder(), HOSTS.subList(0, 1), binding.places(), binding.sealed()),
                new SecretBinding("TOKEN", binding.placeholder(), HOSTS, Set.of(SecretBinding.Place.BODY), binding.sealed()))) {
            assertThatThrownBy(() -> key.open(changed)).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.failure().code()).isEqualTo(Failure.Code.BAD_REQUEST))
                    .hasMessageContaining("the secret " + changed.name() + " cannot be opened");
        }
        assertThat(text(key.open(new SecretBinding("TOKEN", binding.placeholder(), HOSTS.reversed(), binding.places(), binding.sealed())))).isEqualTo(VALUE);
    }

    @Test
    void brokenSealsAndStrangeKeysAreRefused(@TempDir Path other) {
        var binding = bound();
        byte[] sealed = Base64.getDecoder().decode(binding.sealed());
        for (int i = 0; i < sealed.length; i++) {
            byte[] broken = sealed.clone();
            broken[i] ^= 1;
            assertThatThrownBy(() -> key.open(new SecretBinding("TOKEN", binding.placeholder(), HOSTS, binding.places(), Base64.getEncoder().encodeToString(broken))))
                    .isInstanceOf(SandboxException.class);
        }
        for (String nonsense : List.of("A", "AAAA", "====", "AQ==", "A".repeat(44), "A".repeat(32_768))) {
            assertThatThrownBy(() -> key.open(new SecretBinding("TOKEN", binding.placeholder(), HOSTS, binding.places(), nonsense))).isInstanceOf(SandboxException.class);
        }
        assertThatThrownBy(() -> SealKey.openOrMake(other, RANDOM).open(binding)).isInstanceOf(SandboxException.class).hasMessageContaining("another gateway");
    }

    @Test
    void aKeyThatOthersMayReadIsRefused() throws Exception {
        Files.setPosixFilePermissions(directory.resolve(SealKey.PRIVATE_FILE), PosixFilePermissions.fromString("rw-r-----"));
        assertThatThrownBy(() -> SealKey.openOrMake(directory, RANDOM)).isInstanceOf(SandboxException.class).hasMessageContaining("mode 0600");
    }

    @Test
    void filesThatAreNoKeysAreNamed(@TempDir Path other) throws Exception {
        assertThatThrownBy(() -> SecretSeal.of(other.resolve("seal.pub"), RANDOM)).isInstanceOf(SandboxException.class).hasMessageContaining("there is no key");
        Path file = Files.writeString(other.resolve("seal.pub"), "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
        assertThatThrownBy(() -> SecretSeal.of(file, RANDOM)).isInstanceOf(SandboxException.class).hasMessageContaining("cannot read the key");
        Files.writeString(directory.resolve(SealKey.PRIVATE_FILE), "garbage");
        assertThatThrownBy(() -> SealKey.openOrMake(directory, RANDOM)).isInstanceOf(SandboxException.class).hasMessageContaining("no PRIVATE KEY in it");
    }

    @Test
    void valuesAreWipedAndNeverPrinted() {
        char[] text = VALUE.toCharArray();
        var value = SecretValue.taking(text);
        assertThat(text).containsOnly('\0');
        assertThat(value.toString()).isEqualTo("*****");
        assertThat(key.toString()).isEqualTo("SealKey[*****]");
        value.close();
        assertThat(value.bytes()).containsOnly(0);
        assertThat(bound().toString()).doesNotContain(VALUE);
    }

    @Test
    void valuesHaveBounds() {
        assertThatThrownBy(() -> SecretValue.taking(new byte[0])).isInstanceOf(SandboxException.class);
        assertThatThrownBy(() -> SecretValue.taking(new byte[SecretBinding.MAX_VALUE_BYTES + 1])).isInstanceOf(SandboxException.class);
        var binding = key.seal(RANDOM).bind("BIG", HOSTS, Set.of(), SecretValue.taking(new byte[SecretBinding.MAX_VALUE_BYTES]));
        assertThat(key.open(binding).bytes()).hasSize(SecretBinding.MAX_VALUE_BYTES);
    }
}
