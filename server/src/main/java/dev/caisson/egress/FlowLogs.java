package dev.caisson.egress;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Comparator;
import java.util.List;
import java.util.Set;

/// All flow logs of an installation, also of sandboxes that are gone: the newest [#MOST_FILES], and of these [#MOST_BYTES].
final class FlowLogs {
    static final int MOST_FILES = 10_000;
    static final long MOST_BYTES = 1L << 30;

    private FlowLogs() {}

    private record Log(Path file, long bytes, FileTime changed) {
        static Log of(Path file) {
            try {
                return new Log(file, Files.size(file), Files.getLastModifiedTime(file));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        String sandbox() {
            String name = file.getFileName().toString();
            return name.substring(0, name.indexOf('.'));
        }
    }

    /// Drops the oldest of those that are more.
    ///
    /// @param living whose logs stay
    static void prune(Path directory, Set<String> living) throws IOException {
        prune(directory, living, MOST_FILES, MOST_BYTES);
    }

    static void prune(Path directory, Set<String> living, int mostFiles, long mostBytes) throws IOException {
        try (var files = Files.list(directory)) {
            List<Log> newestFirst = files.filter(file -> file.getFileName().toString().indexOf('.') > 0).map(Log::of).sorted(Comparator.comparing(Log::changed).reversed()).toList();
            int kept = 0;
            long bytes = 0;
            for (Log log : newestFirst) {
                kept++;
                bytes += log.bytes();
                if ((kept > mostFiles || bytes > mostBytes) && !living.contains(log.sandbox())) {
                    Files.deleteIfExists(log.file());
                }
            }
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }
}
