package dev.caisson.runtime.qemu;

import dev.caisson.host.Cgroups;
import dev.caisson.runtime.microvm.GuestKernel;
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
import java.util.List;
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
    static final String HOME = "port:" + PORT;

    /// The program itself, what it has translated of the guest, and the page tables of the guest's memory.
    private static final ByteSize OVERHEAD = ByteSize.mib(192);
    private static final Duration START_BOUND = Duration.ofSeconds(20);
    private static final Duration RESTORE_BOUND = Duration.ofSeconds(10);
    private static final Duration FREEZE_BOUND = Duration.ofSeconds(60);
    private static final Duration FAREWELL_BOUND = Duration.ofSeconds(20);
    private static final Duration PAUSE_BOUND = Duration.ofSeconds(10);

    private final DriverName kind;
    private final Acceleration acceleration;
    private final Programs programs;
    private final Cgroups cgroups;
    private final MonitorSocket monitors;
    private final CommandLine commandLine;
    private final QemuHost host;

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
        this.host = new QemuHost(acceleration, programs, kvm, guest);
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
        return host.unfit();
    }

    @Override
    public Optional<String> beingTried() {
        return host.beingTried();
    }

    @Override
    public String fingerprint() throws IOException, InterruptedException {
        return host.fingerprint();
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
        return HOME;
    }

    @Override
    public void start(Vm vm, GuestKernel kernel) throws IOException, InterruptedException {
        doing("start", vm, () -> {
            var places = Places.make(vm.workshop());
            new MemoryFile(places.memory()).create(vm.shape().memory().bytes(), vm.user());
            var jail = jail(vm, places)
                    .writable(places.memory(), CommandLine.MEMORY)
                    .readable(places.out(), CommandLine.OUT)
                    .readable(kernel.vmlinux(), CommandLine.KERNEL)
                    .readable(kernel.initramfs(), CommandLine.INITRAMFS);
            long largest = Math.max(Files.size(vm.disk()), vm.shape().memory().bytes());
            launch(vm, Path.of("/dev/null"), jail.command(largest, "", commandLine.boot(vm, kernel.commandLine(HOME) + host.parameters())), START_BOUND, (qmp, deadline) -> qmp.obey(deadline, Qmp.NEGOTIATE));
        });
    }

    @Override
    public void restore(Vm vm, Snapshot snapshot) throws IOException, InterruptedException {
        doing("restore", vm, () -> {
            var memory = snapshot.memory().orElseThrow(() -> new IOException("the snapshot's memory is not held in this process"));
            if (memory.bytes() != vm.shape().memory().bytes()) {
                throw new IOException("the snapshot is of a machine with " + memory.bytes() + " bytes of memory, not " + vm.shape().memory().bytes());
            }
            var places = Places.make(vm.workshop());
            Files.write(places.state(), snapshot.state(), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            var command = jail(vm, places).command(Files.size(vm.disk()), memory.path().toString(), commandLine.restore(vm));
            launch(vm, places.state(), command, RESTORE_BOUND, (qmp, deadline) -> {
                qmp.obey(deadline, Qmp.NEGOTIATE, Qmp.STATE_WITHOUT_MEMORY, Qmp.RECEIVE_FROM_INPUT, Qmp.CONTINUE);
                qmp.await(deadline, event -> event.name().equals("RESUME"));
            });
            Files.delete(places.state());
        });
    }

    private interface Conversation {
        void take(Qmp qmp, Deadline deadline) throws IOException;
    }

    private void launch(Vm vm, Path input, List<String> command, Duration bound, Conversation first) throws IOException, InterruptedException {
        var deadline = Deadline.in(bound);
        try (var running = RunningVmm.start(command, input, cgroups.joinFiles(vm.cgroup()))) {
            running.hear(() -> {
                try (var qmp = monitors.dial(vm, deadline, running::check)) {
                    first.take(qmp, deadline);
                }
            });
        }
    }

    @Override
    public void freeze(Vm vm, HangUp farewell, Path memory, Path state) throws IOException, InterruptedException {
        doing("freeze", vm, () -> {
            var deadline = Deadline.in(FREEZE_BOUND);
            var places = new Places(vm.workshop());
            byte[] bytes = send(vm, farewell, places.stateSocket(), deadline);
            while (!cgroups.processes(vm.cgroup()).isEmpty()) {
                deadline.pause();
            }
            new MemoryFile(places.memory()).moveTo(memory, vm.shape().memory().bytes());
            Files.write(state, bytes, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        });
    }

    /// Has it send its state, which stops it, and end.
    private byte[] send(Vm vm, HangUp farewell, Path to, Deadline deadline) throws IOException, InterruptedException {
        try (var socket = StateSocket.listen(to, vm.user()); var qmp = monitors.dial(vm, deadline, () -> requireProcess(vm))) {
            qmp.obey(deadline, Qmp.NEGOTIATE);
            farewell.hangUp();
            awaitNextHost(qmp);
            qmp.obey(deadline, Qmp.STATE_WITHOUT_MEMORY, Qmp.sendTo(CommandLine.OUT + "/" + to.getFileName()));
            // Then it has dialed.
            qmp.await(deadline, event -> event.status().equals("active") || event.status().equals("completed"));
            byte[] bytes = socket.receive(deadline);
            qmp.await(deadline, event -> event.status().equals("completed"));
            qmp.quit(deadline);
            return bytes;
        }
    }

    /// The agent closes its port, and opens it again for the next host. QEMU tells of what happens within a second as one.
    private static void awaitNextHost(Qmp qmp) throws IOException {
        try {
            qmp.await(Deadline.in(FAREWELL_BOUND), event -> event.status().equals(Said.PORT_OPENED));
        } catch (IOException e) {
            throw new IOException("its agent does not look for another host: " + e.getMessage(), e);
        }
    }

    @Override
    public void pause(Vm vm) throws IOException, InterruptedException {
        doing("pause", vm, () -> command(vm, Qmp.STOP));
    }

    @Override
    public void resume(Vm vm) throws IOException, InterruptedException {
        doing("resume", vm, () -> command(vm, Qmp.CONTINUE));
    }

    private void command(Vm vm, String command) throws IOException, InterruptedException {
        var deadline = Deadline.in(PAUSE_BOUND);
        try (var qmp = monitors.dial(vm, deadline, () -> requireProcess(vm))) {
            qmp.obey(deadline, Qmp.NEGOTIATE, command);
        }
    }

    @FunctionalInterface
    interface Task {
        void run() throws IOException, InterruptedException;
    }

    private static void doing(String what, Vm vm, Task task) throws IOException, InterruptedException {
        try {
            task.run();
        } catch (IOException e) {
            throw new IOException("QEMU cannot " + what + " " + vm.name() + ": " + e.getMessage(), e);
        }
    }

    private void requireProcess(Vm vm) throws IOException {
        if (cgroups.processes(vm.cgroup()).isEmpty()) {
            throw new IOException("it has ended");
        }
    }

    private Jail jail(Vm vm, Places places) throws IOException {
        var jail = Jail.in(vm.network(), programs, vm.user(), places.callFilter())
                .readable(vm.root(), CommandLine.ROOT)
                .writable(vm.disk(), CommandLine.DISK)
                .readable(vm.directory().resolve("door"), CommandLine.DOOR)
                .device(places.tunDevice(vm.user()), "/dev/net/tun");
        return acceleration == Acceleration.KVM ? jail.device(places.kvmDevice(vm.user()), "/dev/kvm") : jail;
    }
}
