package dev.caisson.node;

import dev.caisson.host.CgroupLoad;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.UsageSample;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// What one sandbox used, moment by moment: the last [#KEPT] samples in packed arrays, which grow as it lives, to 20 KiB.
///
/// Threads: safe for many.
final class UsageHistory {
    /// Between two samples.
    static final Duration PERIOD = Duration.ofSeconds(5);
    /// An hour's, and a few for samples taken out of turn.
    static final int KEPT = 724;
    private static final int FIRST = 16;
    private static final int KIB = 1024;

    private final Limits limits;
    private long[] atMillis = new long[FIRST];
    private float[] cpuPercent = new float[FIRST];
    // Unit: KiB. An int of them is 2 TiB.
    private int[] memory = new int[FIRST];
    private int[] cache = new int[FIRST];
    private int[] disk = new int[FIRST];
    private int next;
    private int count;
    private long lastNanos;
    private long lastCpuNanos;
    private boolean begun;

    UsageHistory(Limits limits) {
        this.limits = limits;
    }

    /// Where the first sample counts CPU time from.
    synchronized void begin(long nanos, Duration cpu) {
        lastNanos = nanos;
        lastCpuNanos = cpu.toNanos();
        begun = true;
    }

    /// Adds a sample, but for one that follows another too closely to tell of CPU time; the first one without a [#begin] is only where the next counts from.
    synchronized void add(Instant at, long nanos, CgroupLoad load, ByteSize diskUsed) {
        if (!begun) {
            begin(nanos, load.cpu());
            return;
        }
        if (count > 0 && nanos - lastNanos < PERIOD.toNanos() / 2) {
            return;
        }
        makeRoom();
        long elapsed = Math.max(1, nanos - lastNanos);
        atMillis[next] = at.toEpochMilli();
        cpuPercent[next] = (float) (100.0 * Math.max(0, load.cpu().toNanos() - lastCpuNanos) / elapsed);
        memory[next] = kib(load.memory());
        cache[next] = kib(load.cache());
        disk[next] = kib(diskUsed);
        begin(nanos, load.cpu());
        next = (next + 1) % KEPT;
        count = Math.min(count + 1, KEPT);
    }

    private void makeRoom() {
        if (next == atMillis.length) {
            int size = Math.min(KEPT, 2 * next);
            atMillis = Arrays.copyOf(atMillis, size);
            cpuPercent = Arrays.copyOf(cpuPercent, size);
            memory = Arrays.copyOf(memory, size);
            cache = Arrays.copyOf(cache, size);
            disk = Arrays.copyOf(disk, size);
        }
    }

    private static int kib(ByteSize size) {
        return (int) Math.min(Integer.MAX_VALUE, size.bytes() / KIB);
    }

    /// Those from `from` to `to`, both included, oldest first.
    synchronized List<UsageSample> between(Instant from, Instant to) {
        var found = new ArrayList<UsageSample>();
        for (int i = 0; i < count; i++) {
            int place = Math.floorMod(next - count + i, KEPT);
            var at = Instant.ofEpochMilli(atMillis[place]);
            if (!at.isBefore(from) && !at.isAfter(to)) {
                found.add(new UsageSample(at, limits.cpus(), cpuPercent[place], size(memory[place]), limits.memory(), size(cache[place]), size(disk[place]), limits.disk()));
            }
        }
        return found;
    }

    private static ByteSize size(int kib) {
        return new ByteSize((long) kib * KIB);
    }

    synchronized boolean isEmpty() {
        return count == 0;
    }
}
