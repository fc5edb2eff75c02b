package dev.caisson.cli;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.InputStream;

/// This process's standard input, as something to forward.
///
/// @param isNone true when there is none: closed, or /dev/null
record Input(boolean isNone) {
    static Input ofProcess() {
        String target = Console.target(0);
        return new Input(target.isEmpty() || target.equals("/dev/null"));
    }

    /// The bytes; unbuffered, for whoever types waits for an answer.
    InputStream open() {
        return new FileInputStream(FileDescriptor.in);
    }
}
