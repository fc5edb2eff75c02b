package dev.caisson.cli;

import dev.caisson.client.Json;
import dev.caisson.client.Sandbox;
import dev.caisson.client.Tier;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/// Measures of the door for E2B's clients: what it adds to the engine, what it carries, and what that costs in memory.
final class E2bMeasures {
    private static final double MIB = 1 << 20;
    private static final long BYTES = 256L << 20;
    private static final String FILE = "/home/user/large";
    private static final int STREAM_SANDBOXES = 4;
    private static final int STREAM_COMMANDS = 10;
    private static final int STREAMS_EACH = 25;

    private E2bMeasures() {}

    static final List<Measure> ALL = List.of(
            new Measure("e2b-create-run", "ms p50 of a create and `echo hi` as E2B's Python client sends them, beside the engine's own", E2bMeasures::createRun),
            new Measure("e2b-command-round-trip", "ms p50 of `true` through E2B's Start in a running sandbox, beside the engine's own", E2bMeasures::commandRoundTrip),
            new Measure("e2b-command-round-trip-container", "the same in a sandbox of tier container, whose kernel starts a program in 1 ms where gVisor takes 7", E2bMeasures::commandRoundTripInContainer),
            new Measure("e2b-upload", "MB/s of 256 MiB into a sandbox through `/files`, beside a program inside that writes as much", bench -> transfer(bench, true)),
            new Measure("e2b-download", "MB/s of 256 MiB out of a sandbox through `/files`, beside a program inside that reads as much", bench -> transfer(bench, false)),
            new Measure("transfer-memory", "MiB that our processes together grow by while 256 MiB go in and out", E2bMeasures::transferMemory),
            new Measure("streams-memory", "MiB that 1,000 streams of running commands add to the front", E2bMeasures::streamsMemory));

    /// The door as E2B's clients see it.
    private record Door(URI url, String key) {
        static Door of(Bench bench) {
            var address = bench.session().address();
            return new Door(URI.create(address.url()), address.key());
        }

        /// A sandbox made through it, and the token that its calls need.
        record Box(String id, String token) {}

        private String control(String method, String path) {
            return method + " " + path + " HTTP/1.1\r\nHost: " + url.getAuthority() + "\r\nX-API-KEY: " + key + "\r\nContent-Type: application/json\r\n";
        }

        String data(String method, String path, Box box, String type) {
            return method + " " + path + " HTTP/1.1\r\nHost: " + url.getAuthority() + "\r\nE2b-Sandbox-Id: " + box.id() + "\r\nE2b-Sandbox-Port: 49983\r\nX-Access-Token: " + box.token()
                    + "\r\nAuthorization: Basic " + Base64.getEncoder().encodeToString("user:".getBytes(StandardCharsets.US_ASCII)) + "\r\nContent-Type: " + type
                    + "\r\nConnect-Protocol-Version: 1\r\nKeepalive-Ping-Interval: 50\r\n";
        }

        Box create(RawHttp http) throws IOException {
            http.send(control("POST", "/v2/sandboxes"), "{\"templateID\":\"base\",\"timeout\":300,\"secure\":true}".getBytes(StandardCharsets.UTF_8));
            must(http, 201);
            var made = Json.parseObject(http.text());
            return new Box(made.text("sandboxID"), made.text("envdAccessToken"));
        }

        /// A sandbox that was made at another door.
        Box connect(RawHttp http, String sandbox) throws IOException {
            http.send(control("POST", "/v2/sandboxes/" + sandbox + "/connect"), "{\"timeout\":300}".getBytes(StandardCharsets.UTF_8));
            must(http, 200);
            return new Box(sandbox, Json.parseObject(http.text()).text("envdAccessToken"));
        }

        void delete(RawHttp http, Box box) throws IOException {
            http.send(control("DELETE", "/sandboxes/" + box.id()), new byte[0]);
            must(http, 204);
            http.rest();
        }

        /// Starts a command, and leaves its stream to be read.
        void start(RawHttp http, Box box, List<String> argv) throws IOException {
            var process = Json.object().put("cmd", argv.getFirst()).put("args", Json.of(argv.subList(1, argv.size()))).put("envs", Json.object().done()).done();
            call(http, box, "Start", Json.object().put("process", process).put("stdin", false).done());
        }

        void connect(RawHttp http, Box box, long pid) throws IOException {
            call(http, box, "Connect", Json.object().put("process", Json.object().put("pid", pid).done()).done());
        }

        private void call(RawHttp http, Box box, String method, Json.Obj message) throws IOException {
            byte[] text = message.write().getBytes(StandardCharsets.UTF_8);
            http.send(data("POST", "/process.Process/" + method, box, "application/connect+json"), ByteBuffer.allocate(5 + text.length).put((byte) 0).putInt(text.length).put(text).array());
            must(http, 200);
        }
    }

    private static void must(RawHttp http, int status) throws IOException {
        int got = http.status();
        if (got != status) {
            throw new CliException("the door for E2B's clients answered " + got + ": " + http.text(), "see `caisson doctor`");
        }
    }

    /// The next message of a stream; empty after the last, which says how it ended.
    private static Optional<String> message(RawHttp http) throws IOException {
        var head = ByteBuffer.wrap(http.bytes(5));
        byte flags = head.get();
        String text = new String(http.bytes(head.getInt()), StandardCharsets.UTF_8);
        if ((flags & 2) == 0) {
            return Optional.of(text);
        }
        if (text.contains("\"error\"")) {
            throw new IOException("a stream ended with " + text);
        }
        http.rest();
        return Optional.empty();
    }

    private static void readAll(RawHttp http) throws IOException {
        while (message(http).isPresent()) {
            // What it says is not looked at.
        }
    }

    private static Companion engine(Bench bench) throws IOException {
        return new Companion(Bench.java("dev.caisson.app.EngineMeasure", "--home", bench.installation().home().toString()), Map.of());
    }

    private static Measure.Figure createRun(Bench bench) throws Exception {
        int rounds = bench.rounds(20);
        var door = Door.of(bench);
        double[] ours = new double[rounds];
        double[] bare = new double[rounds];
        double[] sdk = new double[rounds];
        try (var engine = engine(bench); var http = new RawHttp(door.url()); var python = new Sdk(bench, door)) {
            for (int i = -3; i < rounds; i++) {
                double own = engine.round("create-run");
                long start = System.nanoTime();
                var box = door.create(http);
                door.start(http, box, List.of("/bin/bash", "-l", "-c", "echo hi"));
                readAll(http);
                double raw = (System.nanoTime() - start) / 1e6;
                door.delete(http, box);
                double client = python.round();
                if (i >= 0) {
                    bare[i] = own;
                    ours[i] = raw;
                    sdk[i] = client;
                }
            }
            for (double[] times : List.of(ours, bare, sdk)) {
                Arrays.sort(times);
            }
            double engineMs = Bench.median(bare);
            double overhead = Bench.median(sdk) - Bench.median(ours);
            return new Measure.Figure(Bench.median(ours), OptionalDouble.of(engineMs), "ms", engineMs + 5, false, false, "may be 5 ms above the engine's; "
                    + (python.isThere() ? "the Python client takes " + Math.round(overhead * 10) / 10.0 + " ms more" : "E2B's Python client is not installed, so what it takes is not known"));
        }
    }

    /// E2B's Python client, where `caisson bench` could install it.
    private static final class Sdk implements AutoCloseable {
        private final Optional<Companion> companion;
        private final Path script;

        Sdk(Bench bench, Door door) throws IOException {
            var python = bench.installation().home().resolve("bench/e2b/bin/python");
            script = Files.createTempFile("caisson-bench", ".py");
            try (InputStream text = E2bMeasures.class.getResourceAsStream("e2b-rounds.py")) {
                Files.write(script, Objects.requireNonNull(text).readAllBytes());
            }
            companion = Files.isExecutable(python)
                    ? Optional.of(new Companion(List.of(python.toString(), script.toString()), Map.of("E2B_API_URL", door.url().toString(), "E2B_SANDBOX_URL", door.url().toString(), "E2B_API_KEY", door.key())))
                    : Optional.empty();
        }

        boolean isThere() {
            return companion.isPresent();
        }

        /// 0 where it is not there.
        double round() throws IOException {
            return companion.isPresent() ? companion.get().round("go") : 0;
        }

        @Override
        public void close() throws IOException {
            if (companion.isPresent()) {
                companion.get().close();
            }
            Files.deleteIfExists(script);
        }
    }

    private static Measure.Figure commandRoundTrip(Bench bench) throws Exception {
        int rounds = bench.rounds(200);
        var door = Door.of(bench);
        double[] ours = new double[rounds];
        double[] bare = new double[rounds];
        try (var engine = engine(bench); var http = new RawHttp(door.url())) {
            var box = door.create(http);
            for (int i = -10; i < rounds; i++) {
                double own = engine.round("true");
                long start = System.nanoTime();
                door.start(http, box, List.of("true"));
                readAll(http);
                double raw = (System.nanoTime() - start) / 1e6;
                if (i >= 0) {
                    bare[i] = own;
                    ours[i] = raw;
                }
            }
            door.delete(http, box);
            Arrays.sort(ours);
            Arrays.sort(bare);
            return new Measure.Figure(Bench.median(ours), OptionalDouble.of(Bench.median(bare)), "ms", 3, false, false, "in gVisor, where starting a program takes most of it; p95 "
                    + Math.round(ours[rounds * 95 / 100] * 10) / 10.0 + " ms");
        }
    }

    private static Measure.Figure commandRoundTripInContainer(Bench bench) throws Exception {
        var door = Door.of(bench);
        try (var sandbox = bench.caisson().create(Bench.options(Tier.CONTAINER)); var http = new RawHttp(door.url())) {
            var box = door.connect(http, sandbox.id());
            Bench.Doing run = () -> {
                door.start(http, box, List.of("true"));
                readAll(http);
            };
            for (int i = 0; i < bench.rounds(100); i++) {
                run.go(); // until our own part is compiled
            }
            return Measure.Figure.atMost(Bench.median(Bench.times(bench.rounds(300), run)), "ms", 3);
        }
    }

    private static void upload(Door door, RawHttp http, Door.Box box) throws IOException {
        http.sendZeros(door.data("POST", "/files?username=user&path=" + FILE, box, "application/octet-stream"), BYTES);
        must(http, 200);
        http.rest();
    }

    private static void download(Door door, RawHttp http, Door.Box box) throws IOException {
        http.send(door.data("GET", "/files?username=user&path=" + FILE, box, "application/octet-stream"), new byte[0]);
        must(http, 200);
        long got = http.rest();
        if (got != BYTES) {
            throw new IOException("got " + got + " bytes of " + BYTES);
        }
    }

    private static Measure.Figure transfer(Bench bench, boolean up) throws Exception {
        var door = Door.of(bench);
        try (var http = new RawHttp(door.url())) {
            var box = door.create(http);
            upload(door, http, box);
            double[] times = Bench.times(bench.rounds(3), () -> {
                if (up) {
                    upload(door, http, box);
                } else {
                    download(door, http, box);
                }
            });
            double bare = inside(bench.caisson().sandbox(box.id()), up);
            door.delete(http, box);
            return new Measure.Figure(BYTES / 1e3 / Bench.median(times), OptionalDouble.of(BYTES / 1e6 / bare), "MB/s", 200, false, true, "");
        }
    }

    /// Seconds that a program in the sandbox takes to write as much, or to read it.
    private static double inside(Sandbox sandbox, boolean write) {
        var ran = sandbox.run("sh", "-c", "for i in 1 2 3; do dd " + (write ? "if=/dev/zero of=/home/user/other" : "if=" + FILE + " of=/dev/null") + " bs=64K count=" + BYTES / (64 * 1024) + " 2>&1 | tail -n 1; done");
        var seconds = ran.stdoutText().lines().mapToDouble(line -> Double.parseDouble(line.replaceAll(".*, ([0-9.e-]+) s, .*", "$1"))).sorted().toArray();
        return Bench.median(seconds);
    }

    private static Measure.Figure transferMemory(Bench bench) throws Exception {
        var door = Door.of(bench);
        try (var http = new RawHttp(door.url())) {
            var box = door.create(http);
            // What the first one of a kind leaves behind is no growth of the second.
            upload(door, http, box);
            download(door, http, box);
            long before = bench.resident();
            long[] most = {before};
            var over = new CountDownLatch(1);
            var watching = Thread.ofPlatform().start(() -> {
                try {
                    while (!over.await(10, TimeUnit.MILLISECONDS)) {
                        most[0] = Math.max(most[0], bench.resident());
                    }
                } catch (InterruptedException _) {
                    Thread.currentThread().interrupt();
                }
            });
            upload(door, http, box);
            download(door, http, box);
            over.countDown();
            watching.join();
            door.delete(http, box);
            return Measure.Figure.atMost((most[0] - before) / MIB, "MiB", 16).noting("from " + Amounts.shown(before) + " at most " + Amounts.shown(most[0]));
        }
    }

    private static Measure.Figure streamsMemory(Bench bench) throws Exception {
        var door = Door.of(bench);
        var front = bench.installation().process("front").orElseThrow(() -> new CliException("no front runs on this machine", "take this measure where the installation is"));
        var node = bench.installation().process("node").orElseThrow();
        var open = new ArrayList<RawHttp>();
        var boxes = new ArrayList<Door.Box>();
        int count = STREAM_SANDBOXES * STREAM_COMMANDS * STREAMS_EACH;
        try (var http = new RawHttp(door.url()); var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < STREAM_SANDBOXES; i++) {
                boxes.add(door.create(http));
            }
            long frontBefore = StatusCommand.resident(front.pid());
            long nodeBefore = StatusCommand.resident(node.pid());
            var moving = new CountDownLatch(count);
            var opening = new Semaphore(16);
            for (var box : boxes) {
                for (int i = 0; i < STREAM_COMMANDS; i++) {
                    var first = new RawHttp(door.url());
                    open.add(first);
                    door.start(first, box, List.of("python3", "-uc", "import time\nwhile True:\n print('tick'); time.sleep(1)"));
                    long pid = Json.parseObject(message(first).orElseThrow()).object("event").object("start").whole("pid");
                    threads.submit(() -> listen(first, moving));
                    for (int j = 1; j < STREAMS_EACH; j++) {
                        opening.acquire();
                        var more = new RawHttp(door.url());
                        open.add(more);
                        threads.submit(() -> {
                            try {
                                door.connect(more, box, pid);
                            } finally {
                                opening.release();
                            }
                            return listen(more, moving);
                        });
                    }
                }
            }
            if (!moving.await(60, TimeUnit.SECONDS)) {
                throw new CliException(moving.getCount() + " of " + count + " streams told nothing within 60 s", "see `caisson status`");
            }
            double grown = (StatusCommand.resident(front.pid()) - frontBefore) / MIB;
            double nodeGrown = (StatusCommand.resident(node.pid()) - nodeBefore) / MIB;
            for (var each : open) {
                each.close();
            }
            for (var box : boxes) {
                door.delete(http, box);
            }
            boxes.clear();
            return Measure.Figure.atMost(grown, "MiB", 200).noting(count + " streams of " + STREAM_SANDBOXES * STREAM_COMMANDS + " commands, each with output; the node takes "
                    + Math.round(nodeGrown) + " MiB more");
        } finally {
            for (var each : open) {
                each.close();
            }
            for (var box : boxes) {
                bench.caisson().sandbox(box.id()).close();
            }
        }
    }

    /// Reads a stream until it is closed; says once that output came twice.
    private static boolean listen(RawHttp stream, CountDownLatch moving) {
        int told = 0;
        try {
            for (var next = message(stream); next.isPresent(); next = message(stream)) {
                if (next.get().contains("\"data\"") && ++told == 2) {
                    moving.countDown();
                }
            }
            return true;
        } catch (IOException _) {
            return false;
        }
    }
}
