package dev.caisson.egress;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import org.junit.jupiter.api.Assumptions;

/// Hellos as clients write them, taken from a loopback connection.
final class RealHellos {
    private RealHellos() {}

    static byte[] java(String name, String... alpn) throws Exception {
        SSLEngine engine = SSLContext.getDefault().createSSLEngine();
        engine.setUseClientMode(true);
        var parameters = engine.getSSLParameters();
        parameters.setServerNames(name.isEmpty() ? List.of() : List.of(new SNIHostName(name)));
        parameters.setApplicationProtocols(alpn);
        engine.setSSLParameters(parameters);
        var out = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
        engine.wrap(ByteBuffer.allocate(0), out);
        byte[] bytes = new byte[out.flip().remaining()];
        out.get(bytes);
        return bytes;
    }

    static byte[] openssl(String name, String... more) throws Exception {
        var command = Stream.concat(Stream.of("openssl", "s_client", "-connect", "PLACE", "-servername", name, "-alpn", "h2,http/1.1"), Stream.of(more)).toList();
        return of(command);
    }

    static byte[] python(String name) throws Exception {
        return of(List.of("python3", "-c", """
                import socket, ssl, sys
                host, port = sys.argv[1].split(":")
                context = ssl.create_default_context()
                context.set_alpn_protocols(["h2", "http/1.1"])
                context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=sys.argv[2])
                """, "PLACE", name));
    }

    static byte[] go(String name) throws Exception {
        Path directory = Files.createDirectories(Path.of("target", "go", "hello").toAbsolutePath());
        Path program = directory.resolve("hello");
        Assumptions.assumeTrue(isThere("go"), "no go here");
        if (!Files.isExecutable(program)) {
            try (var source = RealHellos.class.getResourceAsStream("hello.go.txt")) {
                Files.write(directory.resolve("hello.go"), source.readAllBytes());
            }
            var build = new ProcessBuilder("go", "build", "-o", program.toString(), "hello.go").directory(directory.toFile()).inheritIO().start();
            if (build.waitFor() != 0) {
                throw new IOException("go build failed");
            }
        }
        return of(List.of(program.toString(), "PLACE", name));
    }

    private static boolean isThere(String program) {
        return Stream.of(System.getenv("PATH").split(":")).anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
    }

    /// Runs a client that connects to `PLACE`, and answers what it said first.
    private static byte[] of(List<String> command) throws Exception {
        Assumptions.assumeTrue(command.getFirst().startsWith("/") || isThere(command.getFirst()), "no " + command.getFirst() + " here");
        try (var listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            listener.setSoTimeout(20_000);
            String place = "127.0.0.1:" + listener.getLocalPort();
            var client = new ProcessBuilder(command.stream().map(each -> each.equals("PLACE") ? place : each).toList())
                    .redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile())).start();
            try (var socket = listener.accept()) {
                socket.setSoTimeout(20_000);
                byte[] bytes = new byte[ClientHello.MAX_BYTES];
                int count = 0;
                while (ClientHello.read(ByteBuffer.wrap(bytes, 0, count)) instanceof ClientHello.NeedMore) {
                    int more = socket.getInputStream().read(bytes, count, bytes.length - count);
                    if (more < 0) {
                        throw new IOException(command + " said only " + count + " bytes");
                    }
                    count += more;
                }
                return java.util.Arrays.copyOf(bytes, count);
            } finally {
                client.destroyForcibly().waitFor();
            }
        }
    }
}
