package dev.caisson.egress;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.SequenceInputStream;
import java.net.Socket;

/// One side of a relayed connection, as bytes that may be looked at: a plain connection, or the inside of a TLS one.
///
/// Threads: one reads, one writes; anyone closes.
interface Wire extends AutoCloseable {
    InputStream in() throws IOException;

    OutputStream out() throws IOException;

    /// Says that nothing more will be written; reading goes on.
    void finish() throws IOException;

    /// Ends it at once, in the middle of a read or write too, without waiting for anything. Safe to call twice.
    @Override
    void close();

    /// @param socket what is read and written
    /// @param connection what carries it: the same, or the connection below TLS
    static Wire of(Socket socket, Socket connection) {
        return new Wire() {
            @Override
            public InputStream in() throws IOException {
                return socket.getInputStream();
            }

            @Override
            public OutputStream out() throws IOException {
                return socket.getOutputStream();
            }

            @Override
            public void finish() throws IOException {
                socket.shutdownOutput();
            }

            @Override
            public void close() {
                try {
                    // Not of TLS itself: that would wait for its turn to say goodbye.
                    connection.close();
                } catch (IOException _) {
                    // It is closed all the same.
                }
            }
        };
    }

    static Wire of(Socket connection) {
        return of(connection, connection);
    }

    /// The same, of which some bytes have been read already.
    static Wire after(byte[] consumed, Wire rest) {
        return new Wire() {
            @Override
            public InputStream in() throws IOException {
                return consumed.length == 0 ? rest.in() : new SequenceInputStream(new ByteArrayInputStream(consumed), rest.in());
            }

            @Override
            public OutputStream out() throws IOException {
                return rest.out();
            }

            @Override
            public void finish() throws IOException {
                rest.finish();
            }

            @Override
            public void close() {
                rest.close();
            }
        };
    }
}
