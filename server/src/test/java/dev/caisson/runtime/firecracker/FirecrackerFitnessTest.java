package dev.caisson.runtime.firecracker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.caisson.host.Cgroups;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.KvmProbe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Whether Firecracker runs here is found out by running it.
class FirecrackerFitnessTest {
    @TempDir
    private Path directory;

    private Path initramfs;

    @BeforeEach
    void makeInitramfs() throws IOException {
        initramfs = Files.write(directory.resolve("initramfs"), new byte[4096]);
    }

    private Path program(String name, String said) throws IOException {
        var file = Files.writeString(directory.resolve(name), "#!/bin/sh\necho '" + said + "'\n");
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    @ParameterizedTest
    @CsvSource({
        "1.11.0, 1.11.0, Firecracker 1.11.0 at, '1.12 or later, before 2.0 is needed'",
        "2.0.0, 2.0.0, Firecracker 2.0.0 at, '1.12 or later, before 2.0 is needed'",
        "1.16.1, 1.12.1, Firecracker 1.16.1 and its jailer 1.12.1, are not of one release",
        "nonsense, 1.12.1, does not say its version, caisson setup"})
    void otherVersionsAreRefusedByName(String firecracker, String jailer, String one, String two) throws Exception {
        var programs = new Programs(program("firecracker", "Firecracker v" + firecracker), program("jailer", "Jailer v" + jailer));
        assertThat(programs.unfit().orElseThrow()).contains(one).contains(two);
    }

    @ParameterizedTest
    @CsvSource({"1.12.0", "1.12.1", "1.16.1", "1.17.0-dev"})
    void theseAreTaken(String version) throws Exception {
        assertThat(new Programs(program("firecracker", "Firecracker v" + version), program("jailer", "Jailer v" + version)).unfit()).isEmpty();
    }

    @Test
    void missingProgramsAreNamed() throws Exception {
        assertThat(new Programs(directory.resolve("firecracker"), directory.resolve("jailer")).unfit().orElseThrow()).contains("no firecracker at").contains("caisson setup");
    }

    private FirecrackerVmm vmm(Optional<TinyGuest> guest) throws IOException, InterruptedException {
        var unfit = Lab.unfitHost();
        assumeThat(unfit).as("skipped: %s", unfit.orElse("")).isEmpty();
        Optional<GuestKernel> kernel = guest.isEmpty() ? Optional.empty()
                : Optional.of(new GuestKernel(guest.get().writeTo(directory.resolve("vmlinux")), initramfs, "digest", "0-tiny"));
        return new FirecrackerVmm(Lab.PROGRAMS.firecracker(), Lab.PROGRAMS.jailer(), Cgroups.detect(), new KvmProbe(directory.resolve("kvm")), () -> kernel);
    }

    @Test
    void aGuestThatSaysItIsUpMakesItFit() throws Exception {
        assertThat(vmm(Optional.of(TinyGuest.restarting(KvmProbe.SIGN + "\n"))).unfit()).isEmpty();
        // The next process does not try again.
        assertThat(vmm(Optional.of(TinyGuest.broken())).unfit()).isEmpty();
    }

    @Test
    void aGuestThatDiesMakesItUnfit() throws Exception {
        assertThat(vmm(Optional.of(TinyGuest.broken())).unfit().orElseThrow()).startsWith("KVM cannot run a guest here");
    }

    @Test
    void aGuestThatSaysNothingMakesItUnfitInTime() throws Exception {
        var guest = new GuestKernel(TinyGuest.idle("hm\n").writeTo(directory.resolve("vmlinux")), initramfs, "digest", "0-tiny");
        assumeThat(vmm(Optional.empty()).name()).isEqualTo("firecracker");
        assertThat(new KvmTrial(Lab.PROGRAMS.firecracker(), guest, "vsock:1024", Duration.ofSeconds(1)).run(directory).orElseThrow()).contains("did not come up within 1 s");
    }

    @Test
    void withoutAGuestThereIsNoAnswerYet() throws Exception {
        assertThat(vmm(Optional.empty()).unfit().orElseThrow()).contains("no guest kernel");
    }

    @Test
    void theFingerprintNamesProgramAndProcessor() throws Exception {
        assertThat(vmm(Optional.empty()).fingerprint()).startsWith("firecracker 1.").contains(", features ").contains(", kernel ").doesNotContain("\n");
    }
}
