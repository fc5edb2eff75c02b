package dev.caisson.link;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/// Two connected unix sockets.
record Pair(SocketChannel listened, SocketChannel dialed) {
    static Pair open() throws IOException {
        Path directory = Files.createTempDirectory("caisson-link");
        Path path = directory.resolve("s");
        try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            var dialed = SocketChannel.open(UnixDomainSocketAddress.of(path));
            return new Pair(server.accept(), dialed);
        } finally {
            Files.deleteIfExists(path);
            Files.delete(directory);
        }
    }
}
