package dev.caisson.app;

import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// One process of a kind per home: a lock that the kernel drops when its holder dies.
final class HomeLock implements AutoCloseable {
    private final FileChannel file;

    private HomeLock(FileChannel file) {
        this.file = file;
    }

    static HomeLock take(Path path, String what) throws IOException {
        Files.createDirectories(path.getParent());
        var file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        if (file.tryLock() == null) {
            file.close();
            throw Failure.Code.WRONG_STATE.with(what + " is already running on this home (" + path + " is locked)", "use the running one, or end it with `caisson down`");
        }
        return new HomeLock(file);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
