package dev.caisson.edge;

import java.io.IOException;

/// Sets TXT records for an authority to see. Threads: one at a time.
public interface DnsRecords {
    /// Returns when the record can be seen by the world.
    ///
    /// @param name without a dot at its end
    void set(String name, String value) throws IOException, InterruptedException;

    /// Removes it; one that is not there is no failure.
    void clear(String name, String value) throws IOException, InterruptedException;
}
