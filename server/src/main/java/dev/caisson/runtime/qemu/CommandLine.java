package dev.caisson.runtime.qemu;

import dev.caisson.host.Sha256;
import dev.caisson.runtime.microvm.DeviceRates;
import dev.caisson.runtime.microvm.Vm;
import dev.caisson.sandbox.ByteSize;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// QEMU's arguments. Paths are those inside the [Jail], and the same for every machine: a frozen one and its copies differ in where their memory is and in nothing that they see.
///
/// @param acceleration see [Acceleration]
record CommandLine(Acceleration acceleration) {
    static final String FIRMWARE = "/firmware";
    static final String KERNEL = "/kernel";
    static final String INITRAMFS = "/initramfs";
    static final String ROOT = "/root";
    static final String DISK = "/disk";
    static final String DOOR = "/door";
    /// The memory of a machine that is to be frozen: a file, so that it is there when the machine has gone.
    static final String MEMORY = "/memory";
    /// Where [Vm#workshop]'s sockets are that a machine dials.
    static final String OUT = "/out";
    static final String QMP = "qmp.sock";

    private static final Path ANYWHERE = Path.of("/");
    private static final String MAC = "02:ca:15:50:00:01";

    /// A machine that boots its kernel.
    List<String> boot(Vm vm, String parameters) {
        var all = machine(vm.shape(), MEMORY, true);
        all.addAll(devices(vm));
        all.addAll(List.of("-kernel", KERNEL, "-initrd", INITRAMFS, "-append", parameters));
        return all;
    }

    /// A machine that waits for its state, which is its standard input.
    List<String> restore(Vm vm) {
        var all = machine(vm.shape(), Jail.MEMORY, false);
        all.addAll(devices(vm));
        all.addAll(List.of("-incoming", "defer"));
        return all;
    }

    /// A machine without devices but a console, which is its standard output.
    List<String> probe(ByteSize memory, String parameters) {
        var all = board("on");
        all.addAll(List.of("-m", mib(memory), "-serial", "stdio", "-kernel", KERNEL, "-initrd", INITRAMFS, "-append", parameters));
        return all;
    }

    /// What a machine is made of, in 16 hex digits: one that is described otherwise is not the one that was frozen.
    ///
    /// @param parameters see [#boot]
    String digest(String parameters) {
        var sample = new Vm("", ANYWHERE, "", 0, ANYWHERE, "tap", ANYWHERE.resolve("agent.sock"), ANYWHERE, ANYWHERE, new Vm.Shape(1, ByteSize.mib(1), ByteSize.mib(1)), DeviceRates.DEFAULT);
        return Sha256.of(String.join("\0", boot(sample, parameters))).substring(0, 16);
    }

    private List<String> machine(Vm.Shape shape, String memory, boolean shared) {
        var all = board("off,memory-backend=ram");
        all.addAll(List.of(
                "-m", mib(shape.memory()),
                "-smp", Integer.toString(shape.vcpus()),
                "-object", "memory-backend-file,id=ram,size=" + mib(shape.memory()) + ",mem-path=" + memory + ",share=" + (shared ? "on" : "off") + ",merge=off,dump=off"));
        return all;
    }

    private List<String> board(String serial) {
        return new ArrayList<>(List.of(
                "-M", "microvm,x-option-roms=off,pit=off,pic=off,rtc=on,acpi=on,usb=off,auto-kernel-cmdline=off,isa-serial=" + serial,
                "-accel", acceleration.accelerator(),
                "-cpu", acceleration.processor(),
                "-bios", FIRMWARE,
                "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
                "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"));
    }

    private static List<String> devices(Vm vm) {
        return List.of(
                "-drive", "if=none,id=root,file=" + ROOT + ",format=raw,file.locking=off,readonly=on,aio=threads" + throttled(vm.rates()),
                "-device", "virtio-blk-device,drive=root",
                // Nothing of it outlives a crash of the host, so nothing needs to reach the host's disk at once. Where that is full the guest is told so, and not stopped.
                "-drive", "if=none,id=disk,file=" + DISK + ",format=raw,file.locking=off,cache=unsafe,aio=threads,discard=unmap,werror=report" + throttled(vm.rates()),
                "-device", "virtio-blk-device,drive=disk",
                "-netdev", "tap,id=net,ifname=" + vm.tap() + ",script=no,downscript=no,vhost=off",
                "-device", "virtio-net-device,netdev=net,mac=" + MAC,
                "-device", "virtio-serial-device,max_ports=2",
                "-chardev", "socket,id=agent,path=" + DOOR + "/" + vm.agentSocket().getFileName() + ",reconnect=1",
                "-device", "virtserialport,id=agent,chardev=agent,name=" + QemuVmm.PORT,
                "-device", "virtio-rng-device",
                "-chardev", "socket,id=qmp,path=" + Jail.SCRATCH + "/" + QMP + ",server=on,wait=off",
                "-mon", "chardev=qmp,mode=control");
    }

    private static String throttled(DeviceRates rates) {
        return ",throttling.bps-total=" + rates.diskBytesPerSecond() + ",throttling.iops-total=" + rates.diskOperationsPerSecond();
    }

    private static String mib(ByteSize size) {
        return size.bytes() / (1 << 20) + "M";
    }
}
