package dev.caisson.runtime.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.caisson.host.SparseDigest;
import dev.caisson.runtime.microvm.Snapshot;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// Real machines under emulation: boot, freeze, copies, pause.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class MachinesTest {
    private QemuLab lab;
    private Snapshot snapshot;

    @BeforeAll
    void open() throws Exception {
        var unfit = QemuLab.unfit();
        assumeTrue(unfit.isEmpty(), unfit.orElse(""));
        lab = new QemuLab();
        snapshot = lab.freeze(42);
    }

    @AfterAll
    void close() throws Exception {
        if (lab != null) {
            lab.close();
        }
    }

    @Test
    void copiesOfOneSnapshotGoOnWhereItStoodEachForItself() throws Exception {
        var first = lab.restore(snapshot);
        var second = lab.restore(snapshot);
        assertThat(first.ask("recall")).isEqualTo("42");
        first.ask("keep 7");
        assertThat(second.ask("recall")).isEqualTo("42");
        assertThat(first.ask("recall")).isEqualTo("7");
        assertThat(second.ask("write 9")).isEqualTo("written");
        assertThat(first.ask("read")).isEqualTo("0");
        assertThat(second.ask("read")).isEqualTo("9");
    }
}
