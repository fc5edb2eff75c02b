package dev.caisson.runtime.microvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.host.CgroupLimits;
import dev.caisson.host.Cgroups;
import dev.caisson.host.NetworkNamespace;
import dev.caisson.host.Tap;
import dev.caisson.runtime.Boot;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// VMMs that the host does not let live: said so, and nothing is left.
class VmmTroubleTest extends MicrovmTest {
    private final Random random = new Random();

    /// A VMM on a host that has no memory for it any more.
    private record Starved(Vmm vmm, Cgroups cgroups) implements Vmm {
        @Override
        public void restore(Vm vm, Snapshot snapshot) throws IOException, InterruptedException {
            cgroups.create(vm.cgroup(), new CgroupLimits(4000, ByteSize.mib(12), 256));
            vmm.restore(vm, snapshot);
        }

        @Override
        public DriverName kind() {
            return vmm.kind();
        }

        @Override
        public String name() {
            return vmm.name();
        }

        @Override
        public Optional<String> unfit() {
            return vmm.unfit();
        }

        @Override
        public String fingerprint() throws IOException, InterruptedException {
            return vmm.fingerprint();
        }

        @Override
        public String home() {
            return vmm.home();
        }

        @Override
        public boolean needsSealedMemory() {
            return vmm.needsSealedMemory();
        }

        @Override
        public ByteSize overhead() {
            return vmm.overhead();
        }

        @Override
        public void start(Vm vm, GuestKernel guest) throws IOException, InterruptedException {
            vmm.start(vm, guest);
        }

        @Override
        public void freeze(Vm vm, HangUp farewell, Path memory, Path state) throws IOException, InterruptedException {
            vmm.freeze(vm, farewell, memory, state);
        }

        @Override
        public void pause(Vm vm) throws IOException, InterruptedException {
            vmm.pause(vm);
        }

        @Override
        public void resume(Vm vm) throws IOException, InterruptedException {
            vmm.resume(vm);
        }
    }

    @Test
    void oneThatTheHostHasNoMemoryForIsSaidSo() throws Exception {
        var boot = lab.plan(MicrovmLab.LIMITS);
        long begin = System.nanoTime();
        assertThatThrownBy(() -> lab.boot(lab.driver(new Starved(lab.vmm, lab.machine.cgroups)), boot)).isInstanceOf(IOException.class).hasMessageContaining("killed it for memory");
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(15));
        lab.release(driver, boot);
        lab.requireThatOneComesUp(driver);
    }

    @Test
    void aNamespaceWhoseTapIsInUseIsRefused() throws Exception {
        var living = lab.boot(driver);
        var plan = lab.plan(MicrovmLab.LIMITS);
        prepared(plan);
        var second = new Boot(plan.id(), plan.spec(), plan.directory(), plan.cgroup(), plan.agentSocket(), plan.slot(), living.boot.network(), plan.content());
        assertThatThrownBy(() -> driver.boot(second)).isInstanceOf(IOException.class).hasMessageContaining(Tap.NAME);
        lab.release(driver, plan);
        assertThat(living.run("echo here").text()).isEqualTo("here\n");
    }

    @Test
    void aGuestTooSmallForItsKernelIsRefused() throws Exception {
        var boot = lab.plan(new Limits(new Cpus(1000), ByteSize.mib(64), 64, ByteSize.mib(64), 1024));
        assertThatThrownBy(() -> driver.boot(boot)).isInstanceOf(SandboxException.class).hasMessageContaining("at least");
    }

    /// Each of its processes, at some moment of its start.
    @Test
    void oneKilledInMidBootLeavesNothing() throws Exception {
        for (int round = 0; round < 8; round++) {
            var boot = lab.plan(MicrovmLab.LIMITS);
            long delay = random.nextLong(Duration.ofMillis(150).toNanos());
            var killer = Thread.ofVirtual().start(() -> {
                try {
                    Thread.sleep(Duration.ofNanos(delay));
                    lab.machine.cgroups.kill(boot.cgroup(), Duration.ofSeconds(5));
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            });
            long begin = System.nanoTime();
            try {
                driver.boot(prepared(boot));
            } catch (IOException e) {
                assertThat(e).hasMessageContaining("QEMU").hasMessageNotContaining("null");
            }
            assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(12));
            killer.join();
            lab.release(driver, boot);
            lab.requireNothingLeft();
        }
    }

    private Boot prepared(Boot boot) throws IOException, InterruptedException {
        Files.createDirectory(boot.directory(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
        Files.createDirectory(boot.agentSocket().getParent());
        // Nobody listens: this is about the VMM.
        Files.createFile(boot.agentSocket());
        new NetworkNamespace(boot.network()).create();
        return boot;
    }

    @Test
    void oneKilledInMidLifeEndsItsLinkAndNobodyElses() throws Exception {
        var dying = lab.boot(driver);
        var living = lab.boot(driver);
        dying.send("sleep 1000");
        for (int process : lab.machine.cgroups.processes(dying.boot.cgroup())) {
            ProcessHandle.of(process).orElseThrow().destroyForcibly();
        }
        assertThat(dying.awaitEnd()).isTrue();
        assertThatThrownBy(() -> dying.run("echo here")).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> driver.pause(dying.boot)).isInstanceOf(IOException.class).hasMessageContaining("cannot pause");
        lab.release(driver, dying.boot);
        assertThat(living.run("echo here").text()).isEqualTo("here\n");
    }
}
