package dev.caisson.host;

import dev.caisson.sandbox.ByteSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// The machine's memory, as its kernel tells it in `/proc/meminfo`.
///
/// @param available what new programs can have without anything being swapped out
public record HostMemory(ByteSize total, ByteSize available) {
    private static final int KIB = 1024;

    public static HostMemory now() throws IOException {
        String text = Files.readString(Path.of("/proc/meminfo"));
        return new HostMemory(figure(text, "MemTotal:"), figure(text, "MemAvailable:"));
    }

    private static ByteSize figure(String text, String name) throws IOException {
        return text.lines().filter(line -> line.startsWith(name)).findFirst()
                .map(line -> new ByteSize(Long.parseLong(line.replaceAll("[^0-9]", "")) * KIB))
                .orElseThrow(() -> new IOException("/proc/meminfo does not tell " + name));
    }
}
