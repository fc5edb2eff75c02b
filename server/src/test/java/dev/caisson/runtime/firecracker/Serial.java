package dev.caisson.runtime.firecracker;

import dev.caisson.host.NamedPipe;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/// Our end of a guest's serial port.
final class Serial implements AutoCloseable {
    private static final Duration BOUND = Duration.ofSeconds(10);

    private final Console console;
    private final NamedPipe output;
    private final RandomAccessFile input;
    private final StringBuilder heard = new StringBuilder();

    private Serial(Console console, NamedPipe output, RandomAccessFile input) {
        this.console = console;
        this.output = output;
        this.input = input;
    }

    static Serial open(Path directory) throws IOException {
        var console = new Console(directory.resolve("in"), directory.resolve("out"));
        NamedPipe.make(console.input(), 0);
        NamedPipe.make(console.output(), 0);
        return new Serial(console, NamedPipe.open(console.output()), new RandomAccessFile(console.input().toFile(), "rw"));
    }

    Console console() {
        return console;
    }

    void say(String text) throws IOException {
        input.write(text.getBytes(StandardCharsets.US_ASCII));
    }

    /// Waits until that has been said since the last call, among the VMM's own words.
    void await(String text) throws IOException {
        long until = System.nanoTime() + BOUND.toNanos();
        while (true) {
            heard.append(output.take());
            int at = heard.indexOf(text);
            if (at >= 0) {
                heard.delete(0, at + text.length());
                return;
            }
            if (System.nanoTime() > until) {
                throw new IOException("not said within " + BOUND.toSeconds() + " s: '" + text + "', but: '" + heard + "'");
            }
            Thread.onSpinWait();
        }
    }

    /// What has been said and not been waited for.
    String rest() throws IOException {
        return heard.append(output.take()).toString();
    }

    @Override
    public void close() throws IOException {
        output.close();
        input.close();
        Files.delete(console.input());
        Files.delete(console.output());
    }
}
