package dev.caisson.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// The person's terminal while a command in a sandbox has it: every key goes through as it is, Ctrl-C too, and the screen is the command's.
///
/// The JDK cannot set a terminal; `stty` of coreutils does, on the standard input that it shares with us.
/// Cleanup: close gives the terminal back as it was, also when this process is told to end; safe to call twice.
final class LocalTerminal implements AutoCloseable {
    private static final long STTY_SECONDS = 5;

    private final String before;
    private final Thread ending = new Thread(this::giveBack, "terminal");

    private LocalTerminal(String before) {
        this.before = before;
    }

    /// @param columns 1 to 4,096, as the API takes it
    record Size(int columns, int rows) {}

    /// Takes standard input, which has to be a terminal.
    ///
    /// Errors: a [CliException] when it cannot be set.
    static LocalTerminal take() {
        var terminal = new LocalTerminal(stty("-g"));
        Runtime.getRuntime().addShutdownHook(terminal.ending);
        stty("raw", "-echo");
        return terminal;
    }

    Size size() {
        String[] said = stty("size").split(" ");
        try {
            return new Size(known(Integer.parseInt(said[1]), 80), known(Integer.parseInt(said[0]), 24));
        } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
            throw new CliException("stty says no size: " + String.join(" ", said), "leave --tty away", e);
        }
    }

    /// A terminal that does not know its size says 0.
    private static int known(int said, int usual) {
        return said == 0 ? usual : Math.clamp(said, 1, 4096);
    }

    private static String stty(String... words) {
        var command = new ArrayList<>(List.of("stty"));
        command.addAll(List.of(words));
        try {
            var process = new ProcessBuilder(command).redirectInput(ProcessBuilder.Redirect.INHERIT).redirectErrorStream(true).start();
            String said = new String(process.getInputStream().readNBytes(4096), StandardCharsets.UTF_8).strip();
            if (!process.waitFor(STTY_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new CliException("the terminal cannot be set: " + said, "leave --tty away");
            }
            return said;
        } catch (IOException e) {
            throw new CliException("the terminal cannot be set: " + e.getMessage(), "apt-get install coreutils, or leave --tty away", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CliException("interrupted", "try again", e);
        }
    }

    private void giveBack() {
        stty(before);
    }

    @Override
    public void close() {
        try {
            if (Runtime.getRuntime().removeShutdownHook(ending)) {
                giveBack();
            }
        } catch (IllegalStateException _) {
            // This process is ending; the hook does it.
        }
    }
}
