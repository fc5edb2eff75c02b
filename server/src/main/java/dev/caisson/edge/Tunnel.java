package dev.caisson.edge;

import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.eclipse.jetty.io.AbstractConnection;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.util.Blocker;
import org.eclipse.jetty.util.BufferUtil;
import org.jspecify.annotations.Nullable;

/// A client's connection after an upgrade: bytes both ways, in a protocol that is not looked at, with back-pressure both ways.
///
/// Either side may say that it sends no more while the other goes on.
final class Tunnel extends AbstractConnection implements Connection.UpgradeTo {
    private static final int PIECE = 32 * 1024;

    private final GuestConnection guest;
    private final Runnable moved;
    private final Runnable closed;
    private @Nullable ByteBuffer early;
    private boolean clientEnded;
    private boolean guestEnded;

    /// @param moved called with every piece
    /// @param closed called once it is over
    Tunnel(EndPoint client, Executor executor, GuestConnection guest, Runnable moved, Runnable closed) {
        super(client, executor);
        this.guest = guest;
        this.moved = moved;
        this.closed = closed;
    }

    @Override
    public void onUpgradeTo(ByteBuffer bytes) {
        early = BufferUtil.copy(bytes);
    }

    @Override
    public void onOpen() {
        super.onOpen();
        // The exchange's own patience counts from here on.
        getEndPoint().setIdleTimeout(0);
        Thread.ofVirtual().name("tunnel").start(this::toClient);
        ByteBuffer first = early;
        early = null;
        if (first != null && first.hasRemaining()) {
            getExecutor().execute(() -> {
                if (toGuest(first)) {
                    fillInterested();
                }
            });
        } else {
            fillInterested();
        }
    }

    @Override
    public void onFillable() {
        // Taken for as long as there are bytes: a connection at rest holds none.
        ByteBuffer buffer = BufferUtil.allocate(PIECE);
        try {
            while (true) {
                int count = getEndPoint().fill(buffer);
                if (count == 0) {
                    fillInterested();
                    return;
                }
                if (count < 0) {
                    guest.finishRaw();
                    ended(true);
                    return;
                }
                if (!toGuest(buffer)) {
                    return;
                }
                BufferUtil.clear(buffer);
            }
        } catch (IOException | SandboxException e) {
            close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            close();
        }
    }

    private boolean toGuest(ByteBuffer bytes) {
        try {
            moved.run();
            guest.writeRaw(bytes);
            return true;
        } catch (SandboxException e) {
            close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            close();
        }
        return false;
    }

    private void toClient() {
        try {
            for (Optional<ByteBuffer> bytes = guest.raw(); bytes.isPresent(); bytes = guest.raw()) {
                moved.run();
                try (var written = Blocker.callback()) {
                    getEndPoint().write(written, bytes.get());
                    written.block();
                }
            }
            getEndPoint().shutdownOutput();
            ended(false);
        } catch (IOException | SandboxException e) {
            close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            close();
        }
    }

    private void ended(boolean client) {
        boolean both;
        synchronized (this) {
            clientEnded |= client;
            guestEnded |= !client;
            both = clientEnded && guestEnded;
        }
        if (both) {
            close();
        }
    }

    @Override
    public void onClose(@Nullable Throwable cause) {
        super.onClose(cause);
        guest.close();
        closed.run();
    }

    @Override
    public void close() {
        guest.close();
        super.close();
    }
}
