package dev.caisson.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// The person's end: results on standard output, remarks on standard error; colours only on a terminal, and not with NO_COLOR.
final class Console {
    private static final PrintStream OUT = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    private static final PrintStream ERR = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);

    private static final int LONGEST_LINE = 600;

    private Console() {}

    static PrintStream out() {
        return OUT;
    }

    static PrintStream err() {
        return ERR;
    }

    /// True when descriptor `fd` is a terminal.
    static boolean isTerminal(int fd) {
        String target = target(fd);
        return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
    }

    /// What descriptor `fd` leads to; empty when it is closed.
    static String target(int fd) {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd)).toString();
        } catch (IOException _) {
            return "";
        }
    }

    static boolean colours(int fd) {
        String no = System.getenv("NO_COLOR");
        return (no == null || no.isEmpty()) && !"dumb".equals(System.getenv("TERM")) && isTerminal(fd);
    }

    static String paint(int fd, String code, String text) {
        return colours(fd) ? "\u001b[" + code + "m" + text + "\u001b[0m" : text;
    }

    /// One remark of ours, such as the line after a run.
    static void remark(String line) {
        ERR.println(paint(2, "2", "caisson: " + line));
    }

    /// One line that says what failed and what to do.
    static void failure(String what, String remedy) {
        ERR.println(paint(2, "31", "caisson: ") + oneLine(what) + (remedy.isEmpty() ? "" : " (" + oneLine(remedy) + ")"));
    }

    private static String oneLine(String text) {
        String line = text.strip().replaceAll("\\s*[\\r\\n]+\\s*", "; ");
        // A runtime may have a page to say; its beginning and its end are what matter.
        return line.length() <= LONGEST_LINE ? line : line.substring(0, LONGEST_LINE / 2) + " … " + line.substring(line.length() - LONGEST_LINE / 2);
    }

    /// Rows under their headings, as wide as they need to be.
    static void table(List<String> headings, List<List<String>> rows) {
        int[] widths = new int[headings.size()];
        for (int i = 0; i < widths.length; i++) {
            int column = i;
            widths[i] = Math.max(headings.get(i).length(), rows.stream().mapToInt(row -> row.get(column).length()).max().orElse(0));
        }
        OUT.println(paint(1, "1", row(headings, widths)));
        rows.forEach(row -> OUT.println(row(row, widths)));
    }

    private static String row(List<String> cells, int[] widths) {
        var line = new StringBuilder();
        for (int i = 0; i < widths.length; i++) {
            line.append(cells.get(i));
            if (i < widths.length - 1) {
                line.repeat(' ', widths[i] - cells.get(i).length() + 2);
            }
        }
        return line.toString();
    }
}
