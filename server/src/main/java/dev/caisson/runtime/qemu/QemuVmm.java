package dev.caisson.runtime.qemu;

import dev.caisson.host.Cgroups;
import dev.caisson.host.HostFacts;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.HostCpu;
import dev.caisson.runtime.microvm.KvmProbe;
import dev.caisson.runtime.microvm.Snapshot;
import dev.caisson.runtime.microvm.Vm;
import dev.caisson.runtime.microvm.Vmm;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.DriverName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Supplier;

/// QEMU's `microvm` machine: on KVM, or emulated, one object for each.
///
/// ```
///   start:    memory = a file below vm/         freeze:  state ──▶ our socket, quit, memory copied
///   restore:  memory = the node's sealed memfd, copy on write; state = standard input
/// ```
/// A frozen machine was running when it was told to move, so its copies run as soon as they have arrived: one question over the monitor starts one.
public final class QemuVmm implements Vmm {
    /// The guest's name for its way home.
    static final String PORT = "caisson.agent";

    /// The program itself, what it has translated of the guest, and the page tables of the guest's memory.
    private static final ByteSize OVERHEAD = ByteSize.mib(192);
    private static final Duration START_BOUND = Duration.ofSeconds(20);
    private static final Duration RESTORE_BOUND = Duration.ofSeconds(10);
    private static final Duration FREEZE_BOUND = Duration.ofSeconds(60);
    private static final Duration PAUSE_BOUND = Duration.ofSeconds(10);

    private final DriverName kind;
    private final Acceleration acceleration;
    private final Programs programs;
    private final Cgroups cgroups;
    private final MonitorSocket monitors;
    private final CommandLine commandLine;
    private final TscRate tsc = new TscRate(Path.of("/"));
    private final KvmProbe kvm;
    private final Supplier<Optional<GuestKernel>> guest;
    private volatile Optional<QemuVersion> known = Optional.empty();

    /// @param kind QEMU or QEMU_TCG
    /// @param program qemu-system-x86_64
    /// @param kvm keeps what was found out about KVM
    /// @param guest what is booted to find that out; empty while there is none
    public QemuVmm(DriverName kind, Path program, Cgroups cgroups, KvmProbe kvm, Supplier<Optional<GuestKernel>> guest) {
        this.kind = kind;
        this.acceleration = Acceleration.of(kind);
        this.programs = Programs.beside(program);
        this.cgroups = cgroups;
        this.monitors = new MonitorSocket(cgroups);
        this.commandLine = new CommandLine(acceleration);
        this.kvm = kvm;
        this.guest = guest;
    }

    @Override
    public DriverName kind() {
        return kind;
    }

    @Override
    public String name() {
        return "qemu-system-x86_64";
    }

    @Override
    public Optional<String> unfit() {
        if (!System.getProperty("os.arch", "").equals("amd64")) {
            return Optional.of("QEMU's microvm machine is made for x86_64 alone");
        }
        if (!HostFacts.runningAsRoot()) {
            return Optional.of("QEMU is put behind its walls by root; run the node as root");
        }
        var missing = programs.missing();
        if (missing.isPresent()) {
            return missing;
        }
        try {
            version();
            return switch (acceleration) {
                case KVM -> kvmUnfit();
                case TCG -> tsc.kilohertz().isPresent() ? Optional.empty() : Optional.of("this host does not tell how fast its time stamp counter is, which an emulated guest must know");
            };
        } catch (IOException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return Optional.of("interrupted while QEMU was tried");
        }
    }

    private Optional<String> kvmUnfit() throws IOException, InterruptedException {
        var missing = KvmProbe.missing();
        if (missing.isPresent()) {
            return missing;
        }
        var kernel = guest.get();
        return kernel.isEmpty()
                ? Optional.of("no guest kernel; `caisson setup` installs it")
                : kvm.unfit(fingerprint() + ", guest " + kernel.get().digest(), new KvmTrial(programs, commandLine, kernel.get(), home()));
    }

    private QemuVersion version() throws IOException, InterruptedException {
        var version = known;
        if (version.isEmpty()) {
            version = Optional.of(programs.version());
            known = version;
        }
        return version.get();
    }

    @Override
    public String fingerprint() throws IOException, InterruptedException {
        return "qemu " + version().text() + ", microvm, firmware " + programs.firmware() + ", " + switch (acceleration) {
            case KVM -> "kvm, " + HostCpu.line();
            case TCG -> "tcg " + acceleration.processor() + ", tsc " + kilohertz() + " kHz";
        };
    }

    /// Before 8.2 it opens the file for writing.
    @Override
    public boolean needsSealedMemory() {
        return true;
    }

    @Override
    public ByteSize overhead() {
        return OVERHEAD;
    }

    @Override
    public String home() {
        return "port:" + PORT;
    }

    @Override
    public void start(Vm vm, GuestKernel kernel) throws IOException, InterruptedException {
        var deadline = Deadline.in(START_BOUND, "starting " + vm.name() + " in QEMU");
        var places = Places.make(vm.workshop());
        var memory = new MemoryFile(places.memory());
        memory.create(vm.shape().memory().bytes(), vm.user());
        var jail = jail(vm, places)
                .writable(places.memory(), CommandLine.MEMORY)
                .readable(places.out(), CommandLine.OUT)
                .readable(kernel.vmlinux(), CommandLine.KERNEL)
                .readable(kernel.initramfs(), CommandLine.INITRAMFS);
        long largest = Math.max(Files.size(vm.disk()), vm.shape().memory().bytes());
        var command = jail.command(largest, "", commandLine.boot(vm, parameters(kernel)));
        try (var running = RunningVmm.start(command, Path.of("/dev/null"), cgroups.joinFiles(vm.cgroup()));
                var qmp = monitors.dial(vm, deadline, running::check)) {
            converse(running, () -> qmp.obey(deadline, Qmp.NEGOTIATE));
        }
    }

    @Override
    public void freeze(Vm vm, HangUp farewell, Path memory, Path state) throws IOException, InterruptedException {
        var deadline = Deadline.in(FREEZE_BOUND, "freezing " + vm.name() + " in QEMU");
        var places = new Places(vm.workshop());
        byte[] bytes;
        try (var socket = StateSocket.listen(places.stateSocket(), vm.user()); var qmp = monitors.dial(vm, deadline, () -> requireProcess(vm))) {
            qmp.obey(deadline, Qmp.NEGOTIATE);
            farewell.hangUp();
            // The agent closes its port, and opens it again for the next host. QEMU tells of what happens within a second as one.
            qmp.await(deadline, event -> event.status().equals(Said.PORT_OPENED));
            qmp.obey(deadline, Qmp.STATE_WITHOUT_MEMORY, Qmp.sendTo(CommandLine.OUT + "/" + places.stateSocket().getFileName()));
            // Then it has been dialed.
            qmp.await(deadline, event -> event.status().equals("active") || event.status().equals("completed"));
            bytes = socket.receive(deadline);
            qmp.await(deadline, event -> event.status().equals("completed"));
            qmp.tell(deadline, Qmp.QUIT);
        }
        while (!cgroups.processes(vm.cgroup()).isEmpty()) {
            deadline.pause();
        }
        new MemoryFile(places.memory()).moveTo(memory, vm.shape().memory().bytes());
        Files.write(state, bytes, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    }

    @Override
    public void restore(Vm vm, Snapshot snapshot) throws IOException, InterruptedException {
        var memory = snapshot.memory().orElseThrow(() -> new IOException("the snapshot's memory is not held in this process"));
        if (memory.bytes() != vm.shape().memory().bytes()) {
            throw new IOException("the snapshot is of a machine with " + memory.bytes() + " bytes of memory, not " + vm.shape().memory().bytes());
        }
        var deadline = Deadline.in(RESTORE_BOUND, "restoring " + vm.name() + " in QEMU");
        var places = Places.make(vm.workshop());
        Files.write(places.state(), snapshot.state(), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        var command = jail(vm, places).command(Files.size(vm.disk()), memory.path().toString(), commandLine.restore(vm));
        try (var running = RunningVmm.start(command, places.state(), cgroups.joinFiles(vm.cgroup()));
                var qmp = monitors.dial(vm, deadline, running::check)) {
            Files.delete(places.state());
            converse(running, () -> {
                qmp.obey(deadline, Qmp.NEGOTIATE, Qmp.STATE_WITHOUT_MEMORY, Qmp.RECEIVE_FROM_INPUT, Qmp.CONTINUE);
                qmp.await(deadline, event -> event.name().equals("RESUME"));
            });
        }
    }

    @Override
    public void pause(Vm vm) throws IOException, InterruptedException {
        command(vm, "pausing", Qmp.STOP);
    }

    @Override
    public void resume(Vm vm) throws IOException, InterruptedException {
        command(vm, "resuming", Qmp.CONTINUE);
    }

    private void command(Vm vm, String doing, String command) throws IOException, InterruptedException {
        var deadline = Deadline.in(PAUSE_BOUND, doing + " " + vm.name() + " in QEMU");
        try (var qmp = monitors.dial(vm, deadline, () -> requireProcess(vm))) {
            qmp.obey(deadline, Qmp.NEGOTIATE, command);
        }
    }

    private void requireProcess(Vm vm) throws IOException {
        if (cgroups.processes(vm.cgroup()).isEmpty()) {
            throw new IOException("the QEMU of " + vm.name() + " has ended");
        }
    }

    @FunctionalInterface
    private interface Conversation {
        void take() throws IOException;
    }

    /// What goes wrong in a first conversation, QEMU itself says best why.
    private static void converse(RunningVmm running, Conversation conversation) throws IOException {
        try {
            conversation.take();
        } catch (IOException e) {
            throw new IOException(e.getMessage() + ": " + running.words(), e);
        }
    }

    private Jail jail(Vm vm, Places places) throws IOException {
        var jail = Jail.in(vm.network(), programs, vm.user())
                .readable(vm.root(), CommandLine.ROOT)
                .writable(vm.disk(), CommandLine.DISK)
                .readable(vm.directory().resolve("door"), CommandLine.DOOR)
                .device(places.tunDevice(vm.user()), "/dev/net/tun");
        return acceleration == Acceleration.KVM ? jail.device(places.kvmDevice(vm.user()), "/dev/kvm") : jail;
    }

    private String parameters(GuestKernel kernel) throws IOException {
        return kernel.commandLine(home()) + acceleration.parameters() + (acceleration == Acceleration.TCG ? timing(kilohertz()) : "");
    }

    /// @param kilohertz lpj: how often a loop goes round in the 4 ms of one of the kernel's ticks
    static String timing(long kilohertz) {
        return " tsc_early_khz=" + kilohertz + " lpj=" + 4 * kilohertz;
    }

    private long kilohertz() throws IOException {
        return tsc.kilohertz().orElseThrow(() -> new IOException("this host does not tell how fast its time stamp counter is"));
    }
}
