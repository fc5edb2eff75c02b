package dev.caisson.app;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import jdk.net.ExtendedSocketOptions;

/// A socket that one of our processes answers on: for the users named only, by the file's mode and, once more, by the peer's credentials.
final class NodeSocket implements AutoCloseable {
    /// The system user that the front runs as.
    static final String FRONT_USER = "caisson";

    private final Path path;
    private final ServerSocketChannel server;

    private final Set<String> mayAsk;

    private NodeSocket(Path path, Set<String> mayAsk, ServerSocketChannel server) {
        this.path = path;
        this.mayAsk = mayAsk;
        this.server = server;
    }

    /// The node's: for the front.
    static NodeSocket open(Path path) throws IOException {
        return open(path, Set.of("root", FRONT_USER));
    }

    /// @param mayAsk users whose processes may ask
    static NodeSocket open(Path path, Set<String> mayAsk) throws IOException {
        Files.createDirectories(path.getParent());
        Files.deleteIfExists(path);
        var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(path), 128);
        var view = Files.getFileAttributeView(path, PosixFileAttributeView.class);
        view.setPermissions(PosixFilePermissions.fromString("rw-------"));
        if (mayAsk.contains(FRONT_USER)) {
            letFrontIn(view);
        }
        return new NodeSocket(path, mayAsk, server);
    }

    private static void letFrontIn(PosixFileAttributeView view) throws IOException {
        try {
            view.setGroup(FileSystems.getDefault().getUserPrincipalLookupService().lookupPrincipalByGroupName(FRONT_USER));
            view.setPermissions(PosixFilePermissions.fromString("rw-rw----"));
        } catch (java.nio.file.attribute.UserPrincipalNotFoundException _) {
            // Without the front's user the socket stays root's alone.
        }
    }

    @FunctionalInterface
    interface Serving {
        void serve(SocketChannel channel) throws IOException;
    }

    void acceptAll(Serving serving) {
        while (server.isOpen()) {
            try {
                SocketChannel peer = server.accept();
                if (mayAsk.contains(peer.getOption(ExtendedSocketOptions.SO_PEERCRED).user().getName())) {
                    serving.serve(peer);
                } else {
                    peer.close();
                }
            } catch (IOException _) {
                // That one hung up; the next may not.
            }
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        try {
            Files.deleteIfExists(path);
        } catch (AccessDeniedException _) {
            // This process is no longer root; whoever opens it next replaces it.
        }
    }
}
