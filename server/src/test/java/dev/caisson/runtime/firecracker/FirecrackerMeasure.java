package dev.caisson.runtime.firecracker;

import dev.caisson.runtime.microvm.GuestKernel;
import dev.caisson.runtime.microvm.Snapshot;
import dev.caisson.runtime.microvm.Vm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// Start and restore of a tiny guest, ours and by the bare programs in turns, and what a machine costs. Not a test: run its main; it prints one line per measurement.
final class FirecrackerMeasure {
    private static final int WARM_UP = 15;
    private static final int ROUNDS = 40;
    private static final String BANNER = "~";

    private final Lab lab;
    private final GuestKernel echo;

    private FirecrackerMeasure(Lab lab) throws IOException {
        this.lab = lab;
        this.echo = lab.kernel("echo", TinyGuest.echo(BANNER));
    }

    public static void main(String[] args) throws Exception {
        var unfit = Lab.unfit();
        if (unfit.isPresent()) {
            System.out.println("skipped: " + unfit.get());
            return;
        }
        var lab = Lab.open();
        try {
            var measure = new FirecrackerMeasure(lab);
            var snapshot = measure.snapshot();
            measure.compare("API path start to first serial byte", measure::start, serial -> measure.bareStart(serial, false), serial -> measure.bareStart(serial, true));
            measure.compare("snapshot load to echo", serial -> measure.restore(serial, snapshot), serial -> measure.bareRestore(serial, snapshot, false),
                    serial -> measure.bareRestore(serial, snapshot, true));
            measure.memory(snapshot);
        } finally {
            lab.close();
        }
    }

    /// A start with everything around it; the time of what counts.
    private interface Way {
        double millis(Serial serial) throws Exception;
    }

    /// @param bare by the jailer without and with a cgroup
    private void compare(String what, Way ours, Way bare, Way grouped) throws Exception {
        var ways = List.of(ours, bare, grouped);
        double[][] times = new double[ways.size()][ROUNDS];
        for (int i = -WARM_UP; i < ROUNDS; i++) {
            for (int way = 0; way < ways.size(); way++) {
                double time = once(ways.get(way));
                if (i >= 0) {
                    times[way][i] = time;
                }
            }
        }
        Arrays.stream(times).forEach(Arrays::sort);
        System.out.println(what + ", n = " + ROUNDS);
        for (int percent : new int[] {10, 25, 50, 95}) {
            int at = ROUNDS * percent / 100;
            System.out.printf(Locale.ROOT, "    p%d: ours %.1f ms, bare %.1f ms, ratio %.2f; bare with a cgroup %.1f ms, ratio %.2f%n",
                    percent, times[0][at], times[1][at], times[0][at] / times[1][at], times[2][at], times[0][at] / times[2][at]);
        }
    }

    private double once(Way way) throws Exception {
        var serial = lab.serial();
        try {
            return way.millis(serial);
        } finally {
            lab.closeOpen();
        }
    }

    private double start(Serial serial) throws Exception {
        var vm = lab.vm(echo);
        var vmm = lab.vmm(serial);
        long start = System.nanoTime();
        vmm.start(vm, echo);
        serial.await(BANNER);
        return done(start, vm);
    }

    private double bareStart(Serial serial, boolean grouped) throws Exception {
        var vm = lab.vm(echo);
        var bare = new BareFirecracker(vm, serial, grouped).prepared();
        long start = System.nanoTime();
        bare.start(echo);
        serial.await(BANNER);
        return bareDone(start, vm, bare);
    }

    private double restore(Serial serial, Snapshot snapshot) throws Exception {
        var vm = lab.vm(echo);
        var vmm = lab.vmm(serial);
        long start = System.nanoTime();
        vmm.restore(vm, snapshot);
        serial.say("~");
        serial.await("~");
        return done(start, vm);
    }

    private double bareRestore(Serial serial, Snapshot snapshot, boolean grouped) throws Exception {
        var vm = lab.vm(echo);
        var bare = new BareFirecracker(vm, serial, grouped).prepared();
        long start = System.nanoTime();
        bare.restore(snapshot);
        serial.say("~");
        serial.await("~");
        return bareDone(start, vm, bare);
    }

    private double done(long start, Vm vm) throws Exception {
        double millis = (System.nanoTime() - start) / 1e6;
        lab.release(vm);
        return millis;
    }

    private double bareDone(long start, Vm vm, BareFirecracker bare) throws Exception {
        double millis = (System.nanoTime() - start) / 1e6;
        bare.end();
        lab.release(vm);
        return millis;
    }

    private Snapshot snapshot() throws Exception {
        var serial = lab.serial();
        var vm = lab.vm(echo);
        var vmm = lab.vmm(serial);
        vmm.start(vm, echo);
        serial.await(BANNER);
        var memory = lab.guests.resolve("memory");
        var state = lab.guests.resolve("state");
        long start = System.nanoTime();
        vmm.freeze(vm, () -> {}, memory, state);
        System.out.printf(Locale.ROOT, "freeze of %d MiB: %.0f ms%n", Lab.MEMORY.bytes() >> 20, (System.nanoTime() - start) / 1e6);
        Files.setPosixFilePermissions(memory, PosixFilePermissions.fromString("r--r--r--"));
        lab.release(vm);
        return new Snapshot(Optional.empty(), memory, Files.readAllBytes(state), vm.disk());
    }

    /// What one machine of eight alike costs, and what is the VMM's of it.
    private void memory(Snapshot snapshot) throws Exception {
        var idle = lab.kernel("idle", TinyGuest.idle(BANNER));
        System.out.println("idle, started:  " + cost(8, vm -> lab.vmm().start(vm, idle), idle));
        System.out.println("echo, restored: " + cost(8, vm -> lab.vmm().restore(vm, snapshot), echo));
    }

    private interface Making {
        void make(Vm vm) throws Exception;
    }

    private String cost(int count, Making making, GuestKernel kernel) throws Exception {
        var all = new Vm[count];
        double[] sums = new double[3];
        for (int i = 0; i < count; i++) {
            all[i] = lab.vm(kernel);
            making.make(all[i]);
        }
        for (Vm vm : all) {
            var lines = Files.readAllLines(Path.of("/proc/" + lab.pid(vm) + "/smaps_rollup"));
            sums[0] += kib(lines, "Rss:");
            sums[1] += kib(lines, "Pss:");
            sums[2] += kib(lines, "Private_Clean:") + kib(lines, "Private_Dirty:");
        }
        for (Vm vm : all) {
            lab.release(vm);
        }
        lab.closeOpen();
        return String.format(Locale.ROOT, "RSS %.1f MiB, PSS %.1f MiB, private %.1f MiB each, %d alive", sums[0] / count / 1024, sums[1] / count / 1024, sums[2] / count / 1024, count);
    }

    private static double kib(Iterable<String> lines, String name) {
        for (String line : lines) {
            if (line.startsWith(name)) {
                return Double.parseDouble(line.replaceAll("[^0-9]", ""));
            }
        }
        return 0;
    }
}
