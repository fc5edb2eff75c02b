package dev.caisson.app;

import dev.caisson.edge.DnsRecords;
import dev.caisson.host.Child;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/// A program of the operator's that sets and clears DNS records: `PROGRAM set|clear NAME VALUE`. Status 0 says that it is done, and that the world can see it.
///
/// @param program runs as the front's user
/// @param output what it prints is appended here
record DnsHook(Path program, Path output) implements DnsRecords {
    /// Records take their time to get around.
    private static final Duration WITHIN = Duration.ofMinutes(10);

    @Override
    public void set(String name, String value) throws IOException, InterruptedException {
        Child.of(output, program.toString(), "set", name, value).mustRun(WITHIN);
    }

    @Override
    public void clear(String name, String value) throws IOException, InterruptedException {
        Child.of(output, program.toString(), "clear", name, value).mustRun(WITHIN);
    }
}
