package dev.caisson.runtime.microvm;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class HostCpuTest {
    private static final String CPU = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 167\nmodel name\t: Xeon\nstepping\t: 1\nmicrocode\t: 0x1\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nmodel\t: 9\n";

    @Test
    void whatAGuestSeesChangesIt() {
        var line = HostCpu.line(CPU, "6.12.4");

        assertThat(line).matches("GenuineIntel 6 167 1 0x1, features [0-9a-f]{16}, kernel 6\\.12\\.4");
        assertThat(HostCpu.line(CPU, "6.12.5")).isNotEqualTo(line);
        assertThat(HostCpu.line(CPU.replace("avx2", "avx512f"), "6.12.4")).isNotEqualTo(line);
        assertThat(HostCpu.line(CPU.replace("0x1", "0x2"), "6.12.4")).isNotEqualTo(line);
        assertThat(HostCpu.line(CPU.replace("Xeon", "Other"), "6.12.4")).isEqualTo(line);
    }

    @Test
    void thisHostHasOne() throws Exception {
        assertThat(HostCpu.line()).doesNotContain("\n").isEqualTo(HostCpu.line());
    }
}
