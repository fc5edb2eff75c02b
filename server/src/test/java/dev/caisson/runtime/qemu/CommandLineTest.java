package dev.caisson.runtime.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.runtime.microvm.DeviceRates;
import dev.caisson.runtime.microvm.Vm;
import dev.caisson.sandbox.ByteSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What QEMU is told, and what it is told of this host.
class CommandLineTest {
    private static final String DEVICES = "-drive if=none,id=root,file=/root,format=raw,file.locking=off,readonly=on,aio=threads,throttling.bps-total=1000,throttling.iops-total=20 "
            + "-device virtio-blk-device,drive=root "
            + "-drive if=none,id=disk,file=/disk,format=raw,file.locking=off,cache=unsafe,aio=threads,discard=unmap,werror=report,throttling.bps-total=1000,throttling.iops-total=20 "
            + "-device virtio-blk-device,drive=disk -netdev tap,id=net,ifname=tap0,script=no,downscript=no,vhost=off -device virtio-net-device,netdev=net,mac=02:ca:15:50:00:01 "
            + "-device virtio-serial-device,max_ports=2 -chardev socket,id=agent,path=/door/agent.sock,reconnect=1 -device virtserialport,id=agent,chardev=agent,name=caisson.agent "
            + "-device virtio-rng-device -chardev socket,id=qmp,path=/run/qmp.sock,server=on,wait=off -mon chardev=qmp,mode=control ";
    private static final String BOARD = "-M microvm,x-option-roms=off,pit=off,pic=off,rtc=on,acpi=on,usb=off,auto-kernel-cmdline=off,isa-serial=off,memory-backend=ram ";
    private static final String REST = "-bios /firmware -nodefaults -no-user-config -no-reboot -display none -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny "
            + "-m 512M -smp 2 -object memory-backend-file,id=ram,size=512M,mem-path=";

    private static final Vm VM = vm();

    @TempDir
    private Path root;

    private static Vm vm() {
        var directory = Path.of("/home/run/s/x");
        return new Vm("x", directory, "c/x", 0x3000_0000, Path.of("/home/run/p/1"), "tap0", directory.resolve("door/agent.sock"), Path.of("/image"), directory.resolve("disk"),
                new Vm.Shape(2, ByteSize.mib(512), ByteSize.mib(64)), new DeviceRates(1000, 20, 5));
    }

    @Test
    void aMachineThatBootsHasItsMemoryInAFile() {
        assertThat(String.join(" ", new CommandLine(Acceleration.KVM).boot(VM, "quiet a=b"))).isEqualTo(BOARD + "-accel kvm -cpu host " + REST
                + "/memory,share=on,merge=off,dump=off " + DEVICES + "-kernel /kernel -initrd /initramfs -append quiet a=b");
    }

    @Test
    void aCopyHasTheSameDevicesAndMemoryThatIsCopiedOnWrite() {
        assertThat(String.join(" ", new CommandLine(Acceleration.TCG).restore(VM))).isEqualTo(BOARD + "-accel tcg,thread=multi,tb-size=64 -cpu max " + REST
                + "/proc/self/fd/9,share=off,merge=off,dump=off " + DEVICES + "-incoming defer");
    }

    @Test
    void theJailGivesAwayEverythingBeforeQemuBegins() throws IOException {
        var programs = new Programs(Path.of("/q/qemu"), Path.of("/b/bwrap"), Path.of("/s/setpriv"), Path.of("/n/nsenter"), Path.of("/f/qboot.rom"));
        var command = Jail.in(Path.of("/net"), programs, 1234, Path.of("/calls")).readable(Path.of("/host/a"), "/a").writable(Path.of("/host/b"), "/b").device(Path.of("/host/c"), "/c").command(1025, "/mem", List.of("-x"));
        assertThat(command.subList(0, 2)).containsExactly("/bin/sh", "-c");
        assertThat(command.subList(3, 15)).containsExactly("jail", "3", "/calls", "/mem", "/n/nsenter", "--net=/net", "--", "/b/bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup");
        assertThat(command).containsSubsequence("--ro-bind", "/host/a", "/a", "--bind", "/host/b", "/b", "--dev-bind", "/host/c", "/c", "--", "/setpriv");
        assertThat(command).endsWith("--", "/setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--", "/qemu", "-x");
        assertThat(Jail.withoutNetwork(programs, 1234, Path.of("/calls")).command(0, "", List.of())).contains("--unshare-net").doesNotContain("/n/nsenter");
    }

    @Test
    void everyJumpOfTheCallFilterStaysInIt() {
        var program = ByteBuffer.wrap(CallFilter.program()).order(ByteOrder.LITTLE_ENDIAN);
        int count = program.limit() / 8;
        assertThat(program.limit() % 8).isZero();
        for (int at = 0; at < count; at++) {
            int code = program.getShort(8 * at);
            if (code == 0x15 || code == 0x35) {
                assertThat(at + 1 + Byte.toUnsignedInt(program.get(8 * at + 2))).isLessThan(count);
                assertThat(at + 1 + Byte.toUnsignedInt(program.get(8 * at + 3))).isLessThan(count);
            }
        }
        assertThat(program.getShort(8 * (count - 1))).as("the last instruction answers").isEqualTo((short) 6);
    }

    @Test
    void versionsAreReadFromWhatQemuSays() {
        assertThat(QemuVersion.said("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright"))
                .contains(new QemuVersion(7, 2, "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)"));
        assertThat(QemuVersion.said("QEMU emulator version 10.0.2").orElseThrow().isSupported()).isTrue();
        assertThat(QemuVersion.said("QEMU emulator version 7.1.0").orElseThrow().isSupported()).isFalse();
        assertThat(QemuVersion.said("QEMU emulator version 6.9.0").orElseThrow().isSupported()).isFalse();
        for (String other : List.of("", "qemu-img version 7.2.0", "QEMU emulator version x.y.z", "QEMU emulator version 99999999999.1.1")) {
            assertThat(QemuVersion.said(other)).isEmpty();
        }
    }

    @Test
    void whatIsMissingIsNamedWithItsPackage() {
        var absent = new ArrayList<String>();
        var here = Path.of("/bin/sh");
        for (var programs : List.of(
                new Programs(Path.of("/no/qemu"), here, here, here, here), new Programs(here, Path.of("/no/bwrap"), here, here, here), new Programs(here, here, Path.of("/no/setpriv"), here, here),
                new Programs(here, here, here, here, Path.of("/no/rom")))) {
            absent.add(programs.missing().orElseThrow());
        }
        assertThat(absent.get(0)).contains("/no/qemu", "qemu-system-x86");
        assertThat(absent.get(1)).contains("/no/bwrap", "bubblewrap");
        assertThat(absent.get(2)).contains("/no/setpriv", "util-linux");
        assertThat(absent.get(3)).contains("qemu-system-data");
        assertThat(new Programs(here, here, here, here, here).missing()).isEmpty();
    }

    @Test
    void theTimeStampCountersRateIsWhatTheHostTells() throws IOException {
        assertThat(new TscRate(root).kilohertz()).isEmpty();
        var cpuinfo = Files.createDirectories(root.resolve("proc")).resolve("cpuinfo");
        Files.writeString(cpuinfo, "model name\t: Some CPU @ 2.60GHz\ncpu MHz\t\t: 3912.118\nflags\t\t: fpu tsc\n");
        assertThat(new TscRate(root).kilohertz()).as("of its name").contains(2_600_000L);
        Files.writeString(Files.createDirectories(root.resolve("sys/devices/system/cpu/cpu0/acpi_cppc")).resolve("nominal_freq"), "2450\n");
        assertThat(new TscRate(root).kilohertz()).as("of an AMD").contains(2_450_000L);
        Files.writeString(Files.createDirectories(root.resolve("sys/devices/system/cpu/cpu0/cpufreq")).resolve("base_frequency"), "2592000\n");
        assertThat(new TscRate(root).kilohertz()).as("of an Intel").contains(2_592_000L);
        Files.writeString(cpuinfo, "cpu MHz\t\t: 2599.998\nflags\t\t: fpu tsc hypervisor\n");
        assertThat(new TscRate(root).kilohertz()).as("of a virtual machine").contains(2_599_998L);
        assertThat(QemuHost.timing(2_599_998)).isEqualTo(" tsc_early_khz=2599998 lpj=10399992");
    }
}
