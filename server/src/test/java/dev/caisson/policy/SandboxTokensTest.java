package dev.caisson.policy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.caisson.policy.SandboxTokens.Purpose;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SandboxTokensTest {
    private static final SandboxId ONE = new SandboxId("sbaaaaaaaaaaaaaaaaaa");
    private static final SandboxId OTHER = new SandboxId("sbbbbbbbbbbbbbbbbbbb");

    @TempDir
    Path directory;

    private SandboxTokens open(String file, int seed) {
        return SandboxTokens.open(directory.resolve(file), new Random(seed));
    }

    @Test
    void outliveTheProcessThatMadeThem() {
        String before = open("secret", 1).token(ONE, Purpose.CONTROL);
        assertEquals(before, open("secret", 2).token(ONE, Purpose.CONTROL));
        assertTrue(before.matches("[A-Za-z0-9_-]{43}"), before);
    }

    @Test
    void differBySandboxPurposeAndInstallation() {
        var tokens = open("secret", 1);
        String token = tokens.token(ONE, Purpose.CONTROL);
        assertNotEquals(token, tokens.token(OTHER, Purpose.CONTROL));
        assertNotEquals(token, tokens.token(ONE, Purpose.TRAFFIC));
        assertNotEquals(token, open("second", 2).token(ONE, Purpose.CONTROL));
        assertTrue(tokens.matches(token, ONE, Purpose.CONTROL));
        assertFalse(tokens.matches(token, OTHER, Purpose.CONTROL));
        assertFalse(tokens.matches(token, ONE, Purpose.TRAFFIC));
        assertFalse(tokens.matches(token + "x", ONE, Purpose.CONTROL));
        assertFalse(tokens.matches("", ONE, Purpose.CONTROL));
    }

    @Test
    void secretIsForItsOwnerAlone() throws Exception {
        open("secret", 1);
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve("secret"))));
        try (var files = Files.list(directory)) {
            assertEquals(1, files.count(), "nothing else is left beside it");
        }
    }

    @Test
    void refusesAFileThatIsNoSecret() throws Exception {
        Files.writeString(directory.resolve("secret"), "short");
        assertEquals(Failure.Code.HOST_UNFIT, assertThrows(SandboxException.class, () -> open("secret", 1)).code());
    }
}
