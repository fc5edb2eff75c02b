package dev.caisson.egress;

import dev.caisson.egress.RelayBench.Setup;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.net.ssl.SSLSocket;

/// Throughput of one download and time to connect, direct and through a relay. Not a test: run its main; it prints one line per measurement.
final class RelayMeasure {
    private static final long BYTES = 1L << 30;
    private static final int ROUNDS = 5;

    private RelayMeasure() {}

    public static void main(String[] args) throws Exception {
        Path directory = Files.createTempDirectory("relay-measure");
        var lab = new TlsLab(directory);
        byte[] piece = new byte[64 * 1024];
        ScriptedServer.Script sending = connection -> {
            while (!connection.head().isEmpty()) {
                connection.answer("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: " + BYTES + "\r\n\r\n");
                for (long left = BYTES; left > 0; left -= piece.length) {
                    connection.out.write(piece);
                }
                connection.out.flush();
            }
        };
        try (var tls = new ScriptedServer(TlsLab.listen(lab.internet, "localhost"), sending); var plain = new ScriptedServer(sending);
                var opened = new RelayBench(Setup.PLAIN.opening(lab.tls), tls.port()); var relayed = new RelayBench(Setup.PLAIN, plain.port())) {
            var internet = new TrustedRoots(java.util.List.of(lab.internet.certificate(), lab.sandbox.certificate())).trust();
            var context = javax.net.ssl.SSLContext.getInstance("TLS");
            context.init(null, new javax.net.ssl.TrustManager[] {internet}, null);
            for (int round = 0; round < ROUNDS; round++) {
                say("plain direct", download(new Socket(InetAddress.getLoopbackAddress(), plain.port()), "localhost:" + plain.port()));
                say("plain relayed", download(new Socket(InetAddress.getLoopbackAddress(), relayed.port()), relayed.authority()));
                say("TLS direct", download(secure(context, tls.port()), "localhost:" + tls.port()));
                say("TLS opened", download(secure(context, opened.port()), opened.authority()));
            }
        }
    }

    private static SSLSocket secure(javax.net.ssl.SSLContext context, int port) throws IOException {
        return (SSLSocket) context.getSocketFactory().createSocket(new Socket(InetAddress.getLoopbackAddress(), port), "localhost", port, true);
    }

    private static double download(Socket socket, String authority) throws IOException {
        try (socket) {
            socket.getOutputStream().write(("GET / HTTP/1.1\r\nHost: " + authority + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
            InputStream in = socket.getInputStream();
            byte[] into = new byte[64 * 1024];
            long began = 0;
            long read = 0;
            for (int count = in.read(into); count >= 0 && read < BYTES; count = in.read(into)) {
                began = began == 0 ? System.nanoTime() : began;
                read += count;
                if (read >= BYTES) {
                    break;
                }
            }
            return read / 1048576.0 / ((System.nanoTime() - began) / 1e9);
        }
    }

    private static void say(String what, double rate) {
        System.out.printf("%-14s %8.0f MiB/s%n", what, rate);
    }
}
