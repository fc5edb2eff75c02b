package dev.caisson.compatibility;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.caisson.testing.Installation;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// The published clients of E2B, at the versions that `compat/e2b/sdk` pins, against a whole installation.
@Tag("machine")
@Timeout(value = 8, unit = TimeUnit.MINUTES)
class E2bClientsTest {
    @RegisterExtension
    static final Installation INSTALLATION = new Installation();

    private static final ClientPrograms PROGRAMS = new ClientPrograms("sdk");

    @BeforeAll
    static void startFront() throws IOException {
        PROGRAMS.startFront(INSTALLATION);
    }

    @Test
    void pythonWorksUnchanged() throws Exception {
        String said = PROGRAMS.python("test_sdk.py");
        assertTrue(said.contains("12 passed"), said);
    }

    @Test
    void javaScriptWorksUnchanged() throws Exception {
        String said = PROGRAMS.node("sdk.test.js");
        assertTrue(said.contains("# pass 5"), said);
    }
}
