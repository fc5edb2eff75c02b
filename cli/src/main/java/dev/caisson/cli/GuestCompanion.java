package dev.caisson.cli;

import dev.caisson.client.CaissonException;
import dev.caisson.client.CommandOptions;
import dev.caisson.client.RunningCommand;
import dev.caisson.client.Sandbox;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/// Rounds of a program in a sandbox.
final class GuestCompanion implements Rounds {
    private static final Duration LIFE = Duration.ofMinutes(10);
    private static final long ANSWER_SECONDS = 120;

    private final RunningCommand command;
    private final BlockingQueue<byte[]> asked = new LinkedBlockingQueue<>();
    private final BlockingQueue<String> said = new LinkedBlockingQueue<>();
    private final Captured errors = new Captured();

    GuestCompanion(Sandbox sandbox, List<String> argv) {
        command = sandbox.start(CommandOptions.of(argv).withInput().withTimeout(LIFE));
        Thread.ofVirtual().start(this::listen);
        Thread.ofVirtual().start(() -> command.sendInput(new Asked()));
    }

    private void listen() {
        var line = new StringBuilder();
        try {
            command.await(piece -> {
                String text = StandardCharsets.UTF_8.decode(piece).toString();
                for (int i = 0; i < text.length(); i++) {
                    if (text.charAt(i) == '\n') {
                        said.add(line.toString());
                        line.setLength(0);
                    } else {
                        line.append(text.charAt(i));
                    }
                }
            }, errors);
            said.add("it ended: " + errors.text().strip());
        } catch (IOException | CaissonException e) {
            said.add("its output was lost: " + e.getMessage());
        }
    }

    @Override
    public void ask(String what) {
        asked.add((what + "\n").getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public double answer() {
        try {
            String line = said.poll(ANSWER_SECONDS, TimeUnit.SECONDS);
            if (line == null || !line.matches("[0-9.e+-]+")) {
                throw new CliException("a program of the measure failed in its sandbox: " + (line == null ? "no answer within " + ANSWER_SECONDS + " s" : line), "see docs/benchmarks.md");
            }
            return Double.parseDouble(line);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CliException("interrupted", "try again", e);
        }
    }

    @Override
    public void close() {
        asked.add(new byte[0]);
        command.close();
    }

    /// What the program is asked; ends with an empty line of ours.
    private final class Asked extends InputStream {
        @Override
        public int read() throws IOException {
            throw new IOException("read whole lines");
        }

        @Override
        public int read(byte[] into, int from, int most) throws IOException {
            try {
                byte[] next = asked.take();
                if (next.length > most) {
                    throw new IOException("a line is longer than " + most + " bytes");
                }
                System.arraycopy(next, 0, into, from, next.length);
                return next.length == 0 ? -1 : next.length;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }
    }
}
