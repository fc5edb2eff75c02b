package dev.caisson.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.caisson.runtime.TestMachine;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Tier;
import java.io.IOException;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Files that a sandbox has from its first moment, in real sandboxes.
@Tag("machine")
@Timeout(value = 3, unit = TimeUnit.MINUTES)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SeedsTest {
    private static final SeedFile RESOLVER = SeedFile.replace("/etc/resolv.conf", "nameserver 192.0.2.53\n");
    private static final String BUNDLE = "/etc/bundle.pem";

    private TestMachine machine;

    @BeforeAll
    void open() throws Exception {
        var unfit = TestMachine.unfit();
        Assumptions.assumeTrue(unfit.isEmpty(), unfit.orElse(""));
        machine = TestMachine.open();
    }

    @AfterAll
    void close() throws Exception {
        if (machine != null) {
            machine.close();
        }
    }

    private AdoptedSandbox boot(Tier tier) throws IOException, InterruptedException {
        var unfit = AdoptedSandbox.unfit(machine, tier);
        Assumptions.assumeTrue(unfit.isEmpty(), unfit.orElse(""));
        return AdoptedSandbox.boot(machine, tier, machine.image);
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void isThereFromTheFirstCommandOn(Tier tier) throws Exception {
        try (var sandbox = boot(tier)) {
            sandbox.adopt(RESOLVER, SeedFile.replace("/opt/of/ours/deep", "made with its directories"));
            assertThat(sandbox.bash("cat /etc/resolv.conf; stat -c '%s %F %U:%G %a' /etc/resolv.conf; { echo gone >> /etc/resolv.conf; } 2>/dev/null"))
                    .isEqualTo("nameserver 192.0.2.53\n22 regular file root:root 644\n");
            assertThat(sandbox.bash("cat /etc/resolv.conf; ls -A /etc | grep caisson; cat /opt/of/ours/deep; stat -c '%U %a' /opt/of/ours"))
                    .isEqualTo("nameserver 192.0.2.53\nmade with its directoriesroot 755\n");
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void replacesALinkAndNotWhatItLeadsTo(Tier tier) throws Exception {
        try (var sandbox = boot(tier)) {
            sandbox.adopt();
            assertThat(sandbox.asRoot("mkdir -p /run/names && echo theirs > /run/names/stub && ln -sf ../run/names/stub /etc/resolv.conf && cat /etc/resolv.conf")).isEqualTo("theirs\n");
            sandbox.adopt(RESOLVER);
            assertThat(sandbox.bash("stat -c '%s %F' /etc/resolv.conf; cat /etc/resolv.conf /run/names/stub")).isEqualTo("22 regular file\nnameserver 192.0.2.53\ntheirs\n");
            // A link to nowhere, and an empty directory such as mounts leave.
            sandbox.asRoot("ln -sf /nowhere /etc/resolv.conf");
            sandbox.adopt(RESOLVER);
            sandbox.asRoot("rm /etc/resolv.conf; mkdir /etc/resolv.conf");
            sandbox.adopt(RESOLVER);
            assertThat(sandbox.bash("stat -c '%s %F' /etc/resolv.conf; cat /etc/resolv.conf; ls /nowhere 2>&1 | wc -l; ls -A /etc | grep caisson")).isEqualTo("22 regular file\nnameserver 192.0.2.53\n1\n");
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void addsToABundleOnceAndOnlyWhereThereIsOne(Tier tier) throws Exception {
        var certificate = SeedFile.appendIfExists(BUNDLE, "-----BEGIN\nours\n-----END\n");
        try (var sandbox = boot(tier)) {
            sandbox.adopt(certificate);
            assertThat(sandbox.asRoot("ls " + BUNDLE + " 2>/dev/null; mkdir -p /usr/share/bundles && printf '%s\\n' -----BEGIN theirs -----END > /usr/share/bundles/all && ln -s /usr/share/bundles/all " + BUNDLE + " && printf tail > /etc/tail")).isEmpty();
            for (int time = 0; time < 3; time++) {
                sandbox.adopt(certificate, SeedFile.appendIfExists("/etc/tail", "line\n"));
            }
            assertThat(sandbox.bash("stat -c '%s %F' " + BUNDLE + "; cat " + BUNDLE + " /etc/tail")).isEqualTo("22 symbolic link\n-----BEGIN\ntheirs\n-----END\n-----BEGIN\nours\n-----END\ntail\nline\n");
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void oneThatCannotBeWrittenIsNamed(Tier tier) throws Exception {
        try (var sandbox = boot(tier)) {
            assertThatExceptionOfType(SandboxException.class).isThrownBy(() -> sandbox.adopt(RESOLVER, SeedFile.replace("/usr", "x"))).withMessageContaining("\"/usr\"");
            assertThatExceptionOfType(SandboxException.class).isThrownBy(() -> sandbox.adopt(SeedFile.replace("/etc/passwd/below", "x"))).withMessageContaining("\"/etc/passwd/below\"");
            // It can still be adopted, and then has what it is given.
            sandbox.adopt(RESOLVER);
            assertThat(sandbox.bash("id -un; cat /etc/resolv.conf; ls -d /usr/bin")).isEqualTo("user\nnameserver 192.0.2.53\n/usr/bin\n");
        }
    }

    @Test
    void tooManyOrTooMuchIsRefusedBeforeItIsSent() {
        assertThatIllegalArgumentException().isThrownBy(() -> SeedFile.wire(Collections.nCopies(SeedFile.MAX_FILES + 1, RESOLVER)));
        var half = SeedFile.replace("/half", "x".repeat(SeedFile.MAX_BYTES / 2));
        assertThat(SeedFile.wire(List.of(half, half))).hasSize(2);
        assertThatIllegalArgumentException().isThrownBy(() -> SeedFile.wire(List.of(half, half, SeedFile.replace("/one", "x"))));
        for (String path : List.of("", "relative", "/", "/etc/", "/nul\0", "/" + "x".repeat(4095))) {
            assertThatIllegalArgumentException().isThrownBy(() -> SeedFile.replace(path, ""));
        }
        assertThatIllegalArgumentException().isThrownBy(() -> new SeedFile(SeedFile.Kind.REPLACE, "/setuid", new byte[0], 04755));
    }
}
