package dev.caisson.image;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/// Reads from a growing log of apt how far it is.
final class AptProgress {
    private static final Pattern TO_INSTALL = Pattern.compile("[0-9]+ upgraded, ([0-9]+) newly installed.*");
    private static final int MAX_READ_BYTES = 1 << 20;

    private final Path log;
    private long offset;
    private String rest = "";
    private int total;
    private int downloaded;
    private int unpacked;
    private int installed;
    private String told = "";

    /// Starts at the log's present end.
    AptProgress(Path log) throws IOException {
        this.log = log;
        this.offset = Files.exists(log) ? Files.size(log) : 0;
    }

    /// What to tell since the last call, if anything.
    Optional<String> news() throws IOException {
        read();
        var now = said();
        if (now.isEmpty() || now.equals(told)) {
            return Optional.empty();
        }
        told = now;
        return Optional.of(now);
    }

    private String said() {
        if (unpacked > 0) {
            return "of " + total + " packages " + unpacked + " unpacked, " + installed + " installed";
        }
        return downloaded > 0 ? downloaded + " files downloaded" : "";
    }

    private void read() throws IOException {
        if (!Files.exists(log)) {
            return;
        }
        try (var file = new RandomAccessFile(log.toFile(), "r")) {
            var bytes = new byte[(int) Math.min(MAX_READ_BYTES, Math.max(0, file.length() - offset))];
            file.seek(offset);
            file.readFully(bytes);
            offset += bytes.length;
            rest += new String(bytes, StandardCharsets.ISO_8859_1);
        }
        int end;
        while ((end = rest.indexOf('\n')) >= 0) {
            line(rest.substring(0, end).strip());
            rest = rest.substring(end + 1);
        }
    }

    private void line(String line) {
        var match = TO_INSTALL.matcher(line);
        if (match.matches()) {
            total = Integer.parseInt(match.group(1));
            unpacked = 0;
            installed = 0;
        } else if (line.startsWith("Get:")) {
            downloaded++;
        } else if (line.startsWith("Unpacking ")) {
            unpacked++;
        } else if (line.startsWith("Setting up ")) {
            installed++;
        }
    }
}
