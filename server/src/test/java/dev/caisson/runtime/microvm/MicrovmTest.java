package dev.caisson.runtime.microvm;

import static org.assertj.core.api.Assumptions.assumeThat;

import dev.caisson.runtime.Driver;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/// Tests of sandboxes in emulated machines: one installation for each class, and after each test nothing of it is left.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(180)
abstract class MicrovmTest {
    MicrovmLab lab;
    /// One whose snapshot is there.
    Driver driver;

    @BeforeAll
    void open() throws Exception {
        var unfit = MicrovmLab.unfit();
        assumeThat(unfit).as("skipped: %s", unfit.orElse("")).isEmpty();
        lab = new MicrovmLab();
        driver = lab.driver();
        lab.requireThatOneComesUp(driver);
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        lab.requireNothingLeft();
    }

    @AfterAll
    void close() throws Exception {
        if (lab != null) {
            lab.close();
        }
    }
}
