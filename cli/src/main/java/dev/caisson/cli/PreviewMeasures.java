package dev.caisson.cli;

import dev.caisson.client.CommandOptions;
import dev.caisson.client.Sandbox;
import dev.caisson.client.Tier;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;

/// Measures of preview URLs: a server on the loopback of a sandbox, asked from outside, beside a client inside the same sandbox.
final class PreviewMeasures {
    private static final int PORT = 8000;
    private static final long BYTES = 256L << 20;
    private static final int CONNECTIONS = 1_000;
    private static final int ECHOES = 5;

    private static final byte[] NOTHING = {};
    private static final String UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    private static final byte[] TEXT = "through the wall".getBytes(StandardCharsets.US_ASCII);

    /// Answers `ok`, or many zeros, or echoes WebSocket messages of fewer than 126 bytes.
    private static final String SERVER = """
            const zeros = Buffer.alloc(65536);
            require('http').createServer((q, s) => {
              if (q.url !== '/big') return s.end('ok');
              let left = %1$d;
              s.writeHead(200, {'Content-Length': left});
              const go = () => { while (left > 0) { left -= zeros.length; if (!s.write(zeros)) return s.once('drain', go); } s.end(); };
              go();
            }).on('upgrade', (q, s) => {
              const accept = require('crypto').createHash('sha1').update(q.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
              s.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n');
              s.on('data', f => {
                const n = f[1] & 127, mask = f.subarray(2, 6);
                s.write(Buffer.concat([Buffer.from([f[0], n]), f.subarray(6, 6 + n).map((b, i) => b ^ mask[i & 3])]));
              }).on('error', () => {});
            }).listen({port: %2$d, host: '127.0.0.1', backlog: 1024});
            """.formatted(BYTES, PORT);

    /// Prints the median of so many requests one after the other on one connection, in milliseconds.
    private static final String ASK = """
            const s = require('net').connect(%1$d, '127.0.0.1'); s.setNoDelay(true);
            const times = []; let start;
            const ask = () => { start = process.hrtime.bigint(); s.write('GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); };
            s.on('connect', ask);
            s.on('data', () => {
              times.push(Number(process.hrtime.bigint() - start) / 1e6);
              if (times.length < %2$d) return ask();
              times.splice(0, times.length / 10); times.sort((a, b) => a - b); console.log(times[times.length >> 1]); process.exit(0);
            });
            """;

    /// Prints the seconds that the large answer took.
    private static final String FETCH = """
            const s = require('net').connect(%1$d, '127.0.0.1'); let got = 0; const start = process.hrtime.bigint();
            s.on('connect', () => s.write('GET /big HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'));
            s.on('data', piece => { got += piece.length; if (got >= %2$d) { console.log(Number(process.hrtime.bigint() - start) / 1e9); process.exit(0); } });
            """.formatted(PORT, BYTES);

    private PreviewMeasures() {}

    static final List<Measure> ALL = List.of(
            new Measure("preview-latency", "ms p50 of a request through a preview URL, beside a client inside the sandbox", bench -> latency(bench, Tier.GVISOR)),
            new Measure("preview-latency-container", "the same in a sandbox of tier container, where the guest's kernel adds nothing", bench -> latency(bench, Tier.CONTAINER)),
            new Measure("preview-throughput", "MB/s of a large answer through a preview URL, beside a client inside the sandbox", PreviewMeasures::throughput),
            new Measure("preview-websockets", "WebSockets through preview URLs that all echo at a time", PreviewMeasures::webSockets));

    /// A sandbox with the server running, and where it is found.
    private record Serving(Sandbox sandbox, URI front, String host) implements AutoCloseable {
        static Serving start(Bench bench, Tier tier) {
            var sandbox = bench.caisson().create(Bench.options(tier).withPublicPorts().withOpenFiles(8_192).withLease(Duration.ofMinutes(10)));
            try {
                sandbox.start(CommandOptions.of("node", "-e", SERVER).withTimeout(Duration.ofMinutes(10)));
                var wait = sandbox.run("bash", "-c", "for i in $(seq 200); do (exec 3<>/dev/tcp/127.0.0.1/" + PORT + ") 2>/dev/null && exit 0; sleep 0.05; done; exit 1");
                if (wait.status() != 0) {
                    throw new CliException("the server in the sandbox did not start", "see `caisson doctor`");
                }
                return new Serving(sandbox, URI.create(bench.caisson().url()), sandbox.port(PORT).url().getAuthority());
            } catch (RuntimeException e) {
                sandbox.close();
                throw e;
            }
        }

        Socket connect() throws IOException {
            var socket = new Socket(front.getHost(), front.getPort());
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(60_000);
            return socket;
        }

        RawHttp http() throws IOException {
            return new RawHttp(front);
        }

        String head(String path) {
            return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n";
        }

        double inside(String script) {
            var ran = sandbox.run(CommandOptions.of("node", "-e", script).withTimeout(Duration.ofMinutes(2)));
            if (ran.status() != 0) {
                throw new CliException("the client in the sandbox failed: " + ran.stderrText().strip(), "see `caisson doctor`");
            }
            return Double.parseDouble(ran.stdoutText().strip());
        }

        @Override
        public void close() {
            sandbox.close();
        }
    }

    private static Measure.Figure latency(Bench bench, Tier tier) throws Exception {
        int rounds = bench.rounds(1_000);
        try (var serving = Serving.start(bench, tier); var http = serving.http()) {
            Bench.Doing ask = () -> {
                http.send(serving.head("/"), NOTHING);
                answered(http, 2);
            };
            for (int i = 0; i < rounds / 10; i++) {
                ask.go();
            }
            double ours = Bench.median(Bench.times(rounds, ask));
            double direct = serving.inside(ASK.formatted(PORT, rounds));
            return new Measure.Figure(ours, OptionalDouble.of(direct), "ms", direct + 0.5, false, false, "may be 0.5 ms above the one inside");
        }
    }

    private static Measure.Figure throughput(Bench bench) throws Exception {
        try (var serving = Serving.start(bench, Tier.GVISOR); var http = serving.http()) {
            double direct = BYTES / 1e6 / serving.inside(FETCH);
            long start = System.nanoTime();
            http.send(serving.head("/big"), NOTHING);
            answered(http, BYTES);
            double ours = BYTES / 1e6 / ((System.nanoTime() - start) / 1e9);
            return new Measure.Figure(ours, OptionalDouble.of(direct), "MB/s", 0.6, true, true, "256 MiB");
        }
    }

    private static Measure.Figure webSockets(Bench bench) throws Exception {
        var sockets = new ArrayList<Socket>();
        try (var serving = Serving.start(bench, Tier.GVISOR); var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            long start = System.nanoTime();
            var opening = new Semaphore(32);
            var opened = new ArrayList<Future<Socket>>();
            for (int i = 0; i < CONNECTIONS; i++) {
                opened.add(threads.submit(() -> {
                    opening.acquire();
                    try {
                        var socket = serving.connect();
                        socket.getOutputStream().write((serving.head("/") + UPGRADE).getBytes(StandardCharsets.US_ASCII));
                        skipHead(socket.getInputStream());
                        return socket;
                    } finally {
                        opening.release();
                    }
                }));
            }
            for (var each : opened) {
                sockets.add(each.get());
            }
            double openMs = (System.nanoTime() - start) / 1e6;
            start = System.nanoTime();
            var echoed = new ArrayList<Future<Boolean>>();
            for (var socket : sockets) {
                echoed.add(threads.submit(() -> echoes(socket)));
            }
            int good = 0;
            for (var each : echoed) {
                good += each.get() ? 1 : 0;
            }
            double echoMs = (System.nanoTime() - start) / 1e6;
            return Measure.Figure.atLeast(good, "connections", CONNECTIONS).noting("opened in " + Math.round(openMs) + " ms, " + CONNECTIONS * ECHOES + " echoes in " + Math.round(echoMs) + " ms");
        } finally {
            for (var socket : sockets) {
                socket.close();
            }
        }
    }

    private static boolean echoes(Socket socket) throws IOException {
        byte[] mask = {1, 2, 3, 4};
        var message = ByteBuffer.allocate(6 + TEXT.length).put((byte) 0x81).put((byte) (0x80 | TEXT.length)).put(mask);
        for (int i = 0; i < TEXT.length; i++) {
            message.put((byte) (TEXT[i] ^ mask[i % 4]));
        }
        byte[] echo = ByteBuffer.allocate(2 + TEXT.length).put((byte) 0x81).put((byte) TEXT.length).put(TEXT).array();
        for (int i = 0; i < ECHOES; i++) {
            socket.getOutputStream().write(message.array());
            if (!Arrays.equals(socket.getInputStream().readNBytes(echo.length), echo)) {
                return false;
            }
        }
        return true;
    }

    private static void answered(RawHttp http, long bytes) throws IOException {
        int status = http.status();
        if (status != 200 || http.rest() != bytes) {
            throw new IOException("the preview answered " + status + ", or not " + bytes + " bytes");
        }
    }

    private static void skipHead(InputStream in) throws IOException {
        int last = 0;
        while (last != 0x0d0a0d0a) {
            int next = in.read();
            if (next < 0) {
                throw new IOException("no answer");
            }
            last = last << 8 | next;
        }
    }
}
