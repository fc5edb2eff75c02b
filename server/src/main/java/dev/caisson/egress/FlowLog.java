package dev.caisson.egress;

import dev.caisson.json.Forms;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What one sandbox has tried to reach: a file with one JSON object a line, and the file before it. Each is at most 1 MiB, so a log forgets its oldest entries.
///
/// Attempts that were denied and are alike become one entry every 10 seconds, whatever their number; so a sandbox cannot fill the disk.
/// Threads: safe for many. Cleanup: close writes what is held back.
final class FlowLog implements AutoCloseable {
    private static final long MAX_BYTES = 1 << 20;
    private static final Duration HELD_BACK = Duration.ofSeconds(10);
    private static final int MOST_HELD_BACK = 256;
    /// Unit: characters.
    private static final int MAX_TEXT = 500;

    private final Path file;
    private final InstantSource clock;
    private final Map<Flow, Held> held = new LinkedHashMap<>();
    private final long bytes;
    private long last;
    private long size;
    private boolean failed;

    /// Denials that are alike, since the last of them was written.
    private record Held(Instant since, Instant until, long count) {}

    private FlowLog(Path file, InstantSource clock, long bytes, long last, long size) {
        this.file = file;
        this.clock = clock;
        this.bytes = bytes;
        this.last = last;
        this.size = size;
    }

    /// Goes on where an earlier gateway stopped.
    static FlowLog open(Path directory, String sandbox, InstantSource clock) throws IOException {
        Path file = file(directory, sandbox);
        cutToWholeLines(file);
        var before = after(file, 0, Integer.MAX_VALUE);
        long bytes = before.stream().mapToLong(flow -> flow.sent() + flow.received()).sum();
        long last = before.stream().mapToLong(Flow::number).max().orElse(0);
        return new FlowLog(file, clock, bytes, last, Files.exists(file) ? Files.size(file) : 0);
    }

    /// An earlier gateway was killed while it wrote its last line; what is written next must not become part of it.
    private static void cutToWholeLines(Path file) throws IOException {
        if (!Files.exists(file)) {
            return;
        }
        byte[] bytes = Files.readAllBytes(file);
        int whole = bytes.length;
        while (whole > 0 && bytes[whole - 1] != '\n') {
            whole--;
        }
        if (whole < bytes.length) {
            cut(file, whole);
        }
    }

    private static void cut(Path file, long size) throws IOException {
        try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.truncate(size);
        }
    }

    static Path file(Path directory, String sandbox) {
        return directory.resolve(sandbox + ".jsonl");
    }

    private static Path older(Path file) {
        return file.resolveSibling(file.getFileName() + ".1");
    }

    /// Writes an entry; its number is given here, and its texts are cut where they are long: a sandbox chooses its requests.
    synchronized void add(Flow whole) {
        Flow flow = bounded(whole);
        if (flow.allowed()) {
            write(flow);
            return;
        }
        Flow alike = alike(flow);
        var before = held.get(alike);
        if (before == null) {
            write(flow);
            if (held.size() >= MOST_HELD_BACK) {
                flush();
            }
            held.put(alike, new Held(flow.ended(), flow.ended(), 0));
        } else {
            held.put(alike, new Held(before.since(), flow.ended(), before.count() + flow.count()));
            if (Duration.between(before.since(), flow.ended()).compareTo(HELD_BACK) > 0) {
                writeHeld(alike, held.remove(alike));
            }
        }
    }

    private static Flow bounded(Flow flow) {
        return new Flow(flow.number(), flow.began(), flow.ended(), Failure.shown(flow.host(), MAX_TEXT), flow.address(), flow.port(), flow.protocol(), Failure.shown(flow.request(), MAX_TEXT), flow.rule(),
                flow.allowed(), Failure.shown(flow.reason(), MAX_TEXT), flow.sent(), flow.received(), flow.count());
    }

    /// Without what differs between attempts that are alike.
    private static Flow alike(Flow flow) {
        return new Flow(0, Instant.EPOCH, Instant.EPOCH, flow.host(), flow.address(), flow.port(), flow.protocol(), flow.request(), flow.rule(), false, flow.reason(), 0, 0, 0);
    }

    private void flush() {
        held.forEach(this::writeHeld);
        held.clear();
    }

    private void writeHeld(Flow alike, Held denials) {
        if (denials.count() > 0) {
            write(new Flow(0, denials.since(), denials.until(), alike.host(), alike.address(), alike.port(), alike.protocol(), alike.request(), alike.rule(), false, alike.reason(), 0, 0,
                    denials.count()));
        }
    }

    private void write(Flow flow) {
        byte[] object = Forms.FLOW.bytes(flow.withNumber(++last));
        byte[] line = Arrays.copyOf(object, object.length + 1);
        line[object.length] = '\n';
        try {
            if (size + line.length > MAX_BYTES) {
                Files.move(file, older(file), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
                size = 0;
            }
            append(line);
            size += line.length;
            failed = false;
        } catch (IOException e) {
            if (!failed) {
                failed = true;
                System.getLogger(FlowLog.class.getName()).log(System.Logger.Level.WARNING, "flow log " + file + " cannot be written, its entries are lost: " + e.getMessage());
            }
        }
    }

    private void append(byte[] line) throws IOException {
        try (OutputStream out = Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            out.write(line);
        } catch (IOException e) {
            // The disk may have had room for half of it.
            if (Files.exists(file)) {
                cut(file, size);
            }
            throw e;
        }
    }

    /// What had passed when an earlier gateway stopped, as far as the log goes back.
    long bytes() {
        return bytes;
    }

    Instant now() {
        return clock.instant();
    }

    @Override
    public synchronized void close() {
        flush();
    }

    /// Entries after that number, oldest first; what was held back is written first.
    synchronized List<Flow> after(long number, int limit) throws IOException {
        flush();
        return after(file, number, limit);
    }

    /// Of a sandbox that is gone.
    static List<Flow> after(Path directory, String sandbox, long number, int limit) throws IOException {
        return after(file(directory, sandbox), number, limit);
    }

    private static List<Flow> after(Path file, long number, int limit) throws IOException {
        var all = new ArrayList<>(read(older(file)));
        all.addAll(read(file));
        return all.stream().filter(flow -> flow.number() > number).limit(limit).toList();
    }

    /// Lines that are not whole are passed over: one damaged line must not cost a sandbox its way out.
    private static List<Flow> read(Path file) throws IOException {
        if (!Files.exists(file)) {
            return List.of();
        }
        var flows = new ArrayList<Flow>();
        byte[] bytes = Files.readAllBytes(file);
        for (int from = 0, to = 0; to < bytes.length; to++) {
            if (bytes[to] == '\n') {
                readLine(Arrays.copyOfRange(bytes, from, to)).ifPresent(flows::add);
                from = to + 1;
            }
        }
        return flows;
    }

    private static Optional<Flow> readLine(byte[] line) {
        try {
            return Optional.of(Forms.FLOW.read(line));
        } catch (SandboxException _) {
            return Optional.empty();
        }
    }
}
