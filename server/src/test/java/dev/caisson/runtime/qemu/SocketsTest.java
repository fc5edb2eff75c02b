package dev.caisson.runtime.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.caisson.host.HostFacts;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Whom we dial, and whom we listen to.
class SocketsTest {
    private static final int USER = 0x3000_7fff;

    @TempDir
    private Path directory;

    private ServerSocketChannel listenAt(Path path) throws IOException {
        var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listener.bind(UnixDomainSocketAddress.of(path));
        return listener;
    }

    @Test
    void onlyASocketOfTheMachinesUserIsDialed() throws IOException {
        assumeTrue(HostFacts.runningAsRoot(), "needs root");
        var path = directory.resolve("qmp.sock");
        assertThat(MonitorSocket.connect(path, USER)).as("absent").isEmpty();
        try (var _ = listenAt(path)) {
            assertThat(MonitorSocket.connect(path, USER)).as("root's").isEmpty();
            var link = Files.createSymbolicLink(directory.resolve("link"), path);
            Files.setAttribute(link, "unix:uid", USER, LinkOption.NOFOLLOW_LINKS);
            Files.setAttribute(path, "unix:uid", USER);
            assertThat(MonitorSocket.connect(link, USER)).as("a link").isEmpty();
            assertThatThrownBy(() -> MonitorSocket.connect(path, USER)).as("root listens").isInstanceOf(IOException.class).hasMessageContaining("root");
        }
        assertThat(MonitorSocket.connect(path, USER)).as("nobody listens").isEmpty();
        var file = Files.createFile(directory.resolve("file"));
        Files.setAttribute(file, "unix:uid", USER);
        assertThat(MonitorSocket.connect(file, USER)).as("a file").isEmpty();
    }

    @Test
    void aListenerWithoutRoomIsNotWaitedFor() throws IOException {
        var path = directory.resolve("qmp.sock");
        try (var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listener.bind(UnixDomainSocketAddress.of(path), 1);
            int us = (int) Files.getAttribute(path, "unix:uid");
            for (int i = 0; i < 8; i++) {
                MonitorSocket.connect(path, us);
            }
            assertThat(MonitorSocket.connect(path, us)).isEmpty();
        }
    }

    @Test
    void aStateIsAllThatIsSaidUntilTheEnd() throws IOException {
        var path = directory.resolve("state.sock");
        var large = new byte[300_000];
        large[299_999] = 7;
        try (var socket = StateSocket.listen(path, 0)) {
            Thread.ofVirtual().start(() -> send(path, large));
            assertThat(socket.receive(Deadline.in(Duration.ofSeconds(5)))).isEqualTo(large);
        }
        assertThat(path).doesNotExist();
    }

    @Test
    void aStateThatDoesNotEndIsRefused() throws IOException {
        var path = directory.resolve("state.sock");
        try (var socket = StateSocket.listen(path, 0)) {
            Thread.ofVirtual().start(() -> send(path, new byte[StateSocket.MAX_BYTES + 1]));
            assertThatThrownBy(() -> socket.receive(Deadline.in(Duration.ofSeconds(30)))).isInstanceOf(IOException.class).hasMessageContaining("more than");
        }
    }

    @Test
    void aStateThatDoesNotComeIsGivenUp() throws IOException {
        try (var socket = StateSocket.listen(directory.resolve("state.sock"), 0)) {
            assertThatThrownBy(() -> socket.receive(Deadline.in(Duration.ofMillis(50)))).isInstanceOf(IOException.class).hasMessageContaining("not done within");
            try (var silent = SocketChannel.open(UnixDomainSocketAddress.of(directory.resolve("state.sock")))) {
                assertThatThrownBy(() -> socket.receive(Deadline.in(Duration.ofMillis(50)))).isInstanceOf(IOException.class).hasMessageContaining("not done within");
                assertThat(silent.isOpen()).isTrue();
            }
        }
    }

    private static void send(Path path, byte[] bytes) {
        try (var channel = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
            var buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
        } catch (IOException _) {
            // It has been hung up upon.
        }
    }
}
