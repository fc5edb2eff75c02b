package dev.caisson.runtime.firecracker;

import dev.caisson.host.Cgroups;
import dev.caisson.host.Child;
import dev.caisson.host.NamedPipe;
import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.KvmProbe;
import dev.caisson.runtime.microvm.Snapshot;
import dev.caisson.runtime.microvm.Vm;
import dev.caisson.runtime.microvm.Vmm;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Runs machines in Firecracker, always through its jailer.
///
/// A start: make the [Jail], run the jailer in it, take the API socket out, say over it what the machine is ([Requests]), let it go. A restore says instead which
/// snapshot it is. Nothing of ours stays with a running machine; to pause it one connects to its API again, so also after a node has started again.
public final class FirecrackerVmm implements Vmm {
    static final int AGENT_PORT = 1024;

    /// Measured: 2.6 MiB (the lab's figure is 4.5), and the page tables of the guest's memory, which are 1/512 of it.
    private static final ByteSize OVERHEAD = ByteSize.mib(48);
    private static final Duration API_BOUND = Duration.ofSeconds(10);
    private static final Duration END_BOUND = Duration.ofSeconds(10);
    private static final int MAX_STATE_BYTES = 32 << 20;
    private static final int MAX_WORDS = 800;
    /// No serial port for the kernel: nobody reads it. No PCI: Firecracker's devices are virtio-mmio. No probing for what a keyboard controller has not got.
    private static final String DEVICES = " 8250.nr_uarts=0 pci=off i8042.noaux i8042.nomux i8042.dumbkbd";

    private final Programs programs;
    private final Cgroups cgroups;
    private final Fitness fitness;
    private final @Nullable Console console;

    /// @param firecracker the program; its name holds `firecracker`, by the jailer's wish
    /// @param jailer of the same release
    /// @param guest what is booted to find out whether KVM works; empty while there is none
    public FirecrackerVmm(Path firecracker, Path jailer, Cgroups cgroups, KvmProbe kvm, Supplier<Optional<GuestKernel>> guest) {
        this(new Programs(firecracker, jailer), cgroups, kvm, guest, null);
    }

    FirecrackerVmm(Programs programs, Cgroups cgroups, KvmProbe kvm, Supplier<Optional<GuestKernel>> guest, @Nullable Console console) {
        this.programs = programs;
        this.cgroups = cgroups;
        this.fitness = new Fitness(programs, kvm, guest);
        this.console = console;
    }

    @Override
    public DriverName kind() {
        return DriverName.FIRECRACKER;
    }

    @Override
    public String name() {
        return "firecracker";
    }

    /// It opens a snapshot's memory for reading alone.
    @Override
    public boolean needsSealedMemory() {
        return false;
    }

    @Override
    public ByteSize overhead() {
        return OVERHEAD;
    }

    @Override
    public String home() {
        return "vsock:" + AGENT_PORT;
    }

    @Override
    public Optional<String> unfit() {
        return fitness.unfit(home());
    }

    @Override
    public Optional<String> beingTried() {
        return fitness.beingTried(home());
    }

    @Override
    public String fingerprint() throws IOException, InterruptedException {
        return fitness.fingerprint();
    }

    @Override
    public void start(Vm vm, GuestKernel guest) throws IOException, InterruptedException {
        var content = new LinkedHashMap<String, Path>();
        content.put(Jail.KERNEL, guest.vmlinux());
        content.put(Jail.INITRAMFS, guest.initramfs());
        content.put(Jail.ROOT, vm.root());
        launch(vm, content, new byte[0], requests -> {
            requests.machine(guest.commandLine(home()) + DEVICES);
            requests.start();
        });
    }

    @Override
    public void restore(Vm vm, Snapshot snapshot) throws IOException, InterruptedException {
        if (Files.size(snapshot.memoryFile()) != vm.shape().memory().bytes()) {
            throw new IOException("the snapshot " + snapshot.memoryFile() + " is of a machine with another amount of memory than " + vm.shape().memory());
        }
        launch(vm, Map.of(Jail.MEMORY, snapshot.memoryFile(), Jail.ROOT, vm.root()), snapshot.state(), requests -> {
            requests.load();
            requests.rates();
        });
    }

    /// What is said to a Firecracker that has just come up.
    private interface Opening {
        void say(Requests requests) throws IOException, InterruptedException;
    }

    private void launch(Vm vm, Map<String, Path> readOnly, byte[] state, Opening opening) throws IOException, InterruptedException {
        var jail = new Jail(vm);
        var content = new Jail.Content(readOnly);
        jail.make(content);
        if (state.length > 0) {
            var file = jail.root().resolve(Jail.STATE);
            Files.write(file, state);
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--r--r--"));
        }
        try (var log = NamedPipe.open(jail.pipe(Jail.LOG))) {
            try {
                jailed(jail, content);
                try (var api = FirecrackerApi.connect(jail.api(), vm.user(), API_BOUND)) {
                    opening.say(new Requests(api, vm));
                }
                jail.seal();
            } catch (IOException e) {
                throw new IOException("Firecracker cannot run " + vm.name() + ": " + e.getMessage() + words(jail, log), e);
            }
        }
    }

    /// Returns when the API socket is there. The jailer may end a moment later: waiting for that would be time lost.
    private void jailed(Jail jail, Jail.Content content) throws IOException, InterruptedException {
        var jailer = new FutureTask<Void>(() -> {
            jail.run(programs, content, cgroups.joinFiles(jail.vm().cgroup()), console);
            return null;
        });
        Thread.ofVirtual().name("jailer-" + jail.vm().name()).start(jailer);
        jail.awaitApi(API_BOUND, () -> {
            if (!jailer.isDone()) {
                return;
            }
            try {
                jailer.get();
            } catch (ExecutionException e) {
                throw new IOException(e.getCause() instanceof IOException why ? why.getMessage() : String.valueOf(e.getCause()), e);
            }
            if (cgroups.processes(jail.vm().cgroup()).isEmpty()) {
                throw new IOException("it ended at once");
            }
        });
    }

    /// The last of what jailer and Firecracker said.
    private static String words(Jail jail, NamedPipe log) throws IOException {
        var all = (Child.tail(jail.words()) + " " + log.take()).replaceAll("\\s+", " ").strip();
        return all.isEmpty() ? "" : " (" + Failure.shown(all.substring(Math.max(0, all.length() - MAX_WORDS)), MAX_WORDS) + ")";
    }

    @Override
    public void freeze(Vm vm, HangUp farewell, Path memory, Path state) throws IOException, InterruptedException {
        // Whatever it notices: a vsock breaks all connections of a machine that is restored.
        farewell.hangUp();
        var jail = new Jail(vm);
        jail.prepare(Jail.FROZEN_MEMORY);
        jail.prepare(Jail.FROZEN_STATE);
        asking(vm, requests -> {
            requests.pause();
            requests.freeze();
        });
        if (!cgroups.kill(vm.cgroup(), END_BOUND)) {
            throw new IOException("Firecracker of " + vm.name() + " did not end within " + END_BOUND.toSeconds() + " s of its kill");
        }
        long bytes = vm.shape().memory().bytes();
        new FrozenFile(jail.root().resolve(Jail.FROZEN_MEMORY), vm.user(), bytes, bytes).moveTo(memory);
        new FrozenFile(jail.root().resolve(Jail.FROZEN_STATE), vm.user(), 1, MAX_STATE_BYTES).moveTo(state);
    }

    @Override
    public void pause(Vm vm) throws IOException, InterruptedException {
        asking(vm, Requests::pause);
    }

    @Override
    public void resume(Vm vm) throws IOException, InterruptedException {
        asking(vm, Requests::resume);
    }

    private static void asking(Vm vm, Opening opening) throws IOException, InterruptedException {
        try (var api = FirecrackerApi.connect(new Jail(vm).api(), vm.user(), API_BOUND)) {
            opening.say(new Requests(api, vm));
        } catch (IOException e) {
            throw new IOException("Firecracker of " + vm.name() + ": " + e.getMessage(), e);
        }
    }
}
