package dev.caisson.host;

import java.io.IOException;
import java.nio.file.Path;

/// A file is not what it was when its digest was taken, so nothing was made of it.
public final class ChangedFileException extends IOException {
    ChangedFileException(Path file, String found, String expected) {
        super(file + " has changed since it was made: its digest is " + found + ", not " + expected + "; it must be made again");
    }
}
