package dev.caisson.cli;

import java.io.IOException;

/// A program that does one round of something for each line it is sent, and answers with a number. So rounds of several can take turns, and what else the machine
/// does meanwhile falls on all of them.
///
/// Threads: one. Cleanup: close ends its input, which ends it.
interface Rounds extends AutoCloseable {
    /// Has a round begun; [#answer] waits for its end.
    void ask(String what) throws IOException;

    double answer() throws IOException;

    default double round(String what) throws IOException {
        ask(what);
        return answer();
    }

    @Override
    void close() throws IOException;
}
