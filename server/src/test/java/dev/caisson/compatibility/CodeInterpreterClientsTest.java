package dev.caisson.compatibility;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// The published clients of E2B's code interpreter, at the versions that `compat/e2b/code-interpreter` pins, against a whole installation.
@Tag("machine")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class CodeInterpreterClientsTest {
    @RegisterExtension
    static final Installation INSTALLATION = new Installation();

    private static final ClientPrograms PROGRAMS = new ClientPrograms("code-interpreter");

    @BeforeAll
    static void startFront() throws IOException {
        Assumptions.assumeTrue(INSTALLATION.node().status().tiers().contains(Tier.GVISOR), "this machine cannot give tier gvisor");
        Assumptions.assumeTrue(INSTALLATION.node().templates().stream().anyMatch(one -> one.name().value().equals("code-interpreter-v1") && one.digest().isPresent()),
                "template code-interpreter-v1 is not built: run ./caisson template build code-interpreter-v1");
        PROGRAMS.startFront(INSTALLATION);
    }

    @Test
    void pythonWorksUnchangedWithAndWithoutAsyncio() throws Exception {
        String said = PROGRAMS.python("test_code_interpreter.py");
        assertTrue(said.contains("45 passed"), said);
    }

    @Test
    void javaScriptWorksUnchanged() throws Exception {
        String said = PROGRAMS.node("code_interpreter.test.js");
        assertTrue(said.contains("# pass 9"), said);
    }
}
