package dev.caisson.runtime.microvm;

import dev.caisson.host.Cgroups;
import dev.caisson.host.DiskImages;
import dev.caisson.host.Home;
import dev.caisson.host.NetworkNamespace;
import dev.caisson.host.Reclaimer;
import dev.caisson.host.SparseFiles;
import dev.caisson.host.Tap;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;

/// Boots a template once, lets it warm up, and freezes it.
///
/// Everything that the machine holds has the name of a sandbox that no journal knows, so a node that is killed in between finds and removes it at its next start.
/// Threads: safe for many, one at a time for an origin.
final class Freezer {
    /// None of a sandbox's VMM.
    private static final int USER = MicrovmDriver.FIRST_USER - 1;
    private static final int NAME_DIGITS = 19;
    private static final ByteSize FULL = ByteSize.mib(1);

    private final Vmm vmm;
    private final Home home;
    private final Cgroups cgroups;
    private final Reclaimer reclaimer;
    private final Duration hello;
    private final DiskImages disks;

    /// @param hello how long a machine may take to come up
    Freezer(Vmm vmm, Home home, Cgroups cgroups, Reclaimer reclaimer, Duration hello) {
        this.vmm = vmm;
        this.home = home;
        this.cgroups = cgroups;
        this.reclaimer = reclaimer;
        this.hello = hello;
        this.disks = new DiskImages(home.image().resolve("disks"));
    }

    /// Errors: an [IOException] that says what the guest, or what its warm-up, did not do. Nothing of the machine is left either way.
    void freeze(Origin origin, SnapshotStore.Draft draft) throws IOException, InterruptedException {
        long begin = System.nanoTime();
        String name = "t" + origin.key().substring(0, NAME_DIGITS);
        Path directory = home.sandbox(name);
        var vm = new Vm(name, directory, home.cgroup(name), USER, directory.resolve("net"), Tap.NAME, home.agentSocket(name), origin.image().file(), directory.resolve("disk.img"), origin.shape(), DeviceRates.DEFAULT);
        release(vm);
        try {
            Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
            new NetworkNamespace(vm.network()).create();
            disks.create(vm.disk(), new ByteSize(origin.shape().disk().bytes() + DiskImages.OVERLAY_SHARE.bytes()));
            MicrovmDriver.give(vm.disk(), vm.user(), "rw-------");
            try (var guest = TemplateGuest.listen(vm.agentSocket())) {
                MicrovmDriver.furnish(vm, vmm, cgroups);
                vmm.start(vm, origin.guest());
                guest.warmUp(origin.warmUp(), origin.files(), hello, () -> requireProcess(vm));
                vmm.freeze(vm, guest::close, draft.memory(), draft.state());
            }
            SparseFiles.copy(vm.disk(), draft.disk());
        } catch (IOException e) {
            throw isFull(directory) ? new IOException(e.getMessage() + "; No space left on device of " + directory, e) : e;
        } finally {
            release(vm);
        }
        System.getLogger(Freezer.class.getName()).log(System.Logger.Level.INFO, "snapshot " + origin.key() + " made in " + (System.nanoTime() - begin) / 1_000_000 + " ms");
    }

    /// A VMM that finds no room for its guest's memory is killed without a word.
    private static boolean isFull(Path directory) throws IOException {
        return Files.isDirectory(directory) && Files.getFileStore(directory).getUsableSpace() < FULL.bytes();
    }

    private void requireProcess(Vm vm) throws IOException {
        if (cgroups.processes(vm.cgroup()).isEmpty()) {
            throw new IOException("the machine of a template ended before it was ready: its kernel gave up, or its VMM was killed");
        }
    }

    private void release(Vm vm) throws IOException, InterruptedException {
        for (var resource : List.of(
                new Resource(ResourceKind.PROCESSES, vm.cgroup()), new Resource(ResourceKind.NETWORK_NAMESPACE, vm.network().toString()),
                new Resource(ResourceKind.CGROUP, vm.cgroup()), new Resource(ResourceKind.DIRECTORY, vm.directory().toString()))) {
            Receipt.Check check = reclaimer.release(resource);
            if (!check.gone()) {
                throw new IOException("the machine of a template is still there: " + check.detail());
            }
        }
    }
}
