package dev.caisson.host;

import java.io.FileInputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/// A named pipe into which a program that may be anybody's writes its log: what nobody reads fills the kernel's 64 KiB and no disk.
///
/// What is in it lasts while somebody has it open; this holds it open until it is closed.
/// Threads: one at a time.
public final class NamedPipe implements AutoCloseable {
    private static final int MAX_BYTES = 64 * 1024;

    private final RandomAccessFile both;
    private final FileInputStream reading;

    private NamedPipe(RandomAccessFile both) throws IOException {
        this.both = both;
        this.reading = new FileInputStream(both.getFD());
    }

    /// Makes it, for that user alone.
    public static void make(Path path, int user) throws IOException {
        NativeLinux.makePipe(path.toString());
        Files.setAttribute(path, "unix:gid", user);
        Files.setAttribute(path, "unix:uid", user);
    }

    /// Opens one just made, in a directory that is still ours: for reading and writing, since otherwise opening waits for somebody at the other end.
    public static NamedPipe open(Path path) throws IOException {
        return new NamedPipe(new RandomAccessFile(path.toFile(), "rw"));
    }

    /// What is in it now, and takes it out; never waits. At most 64 KiB.
    public String take() throws IOException {
        byte[] bytes = new byte[MAX_BYTES];
        int count = 0;
        while (count < bytes.length && reading.available() > 0) {
            count += Math.max(0, reading.read(bytes, count, Math.min(bytes.length - count, reading.available())));
        }
        return new String(Arrays.copyOf(bytes, count), StandardCharsets.UTF_8);
    }

    @Override
    public void close() throws IOException {
        both.close();
    }
}
