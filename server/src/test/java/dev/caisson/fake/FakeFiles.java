package dev.caisson.fake;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileEvent;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.concurrent.LinkedBlockingQueue;

/// Files of a fake sandbox: a directory of the host's, in which `/` is the directory itself.
public final class FakeFiles implements Files {
    /// Reading this path brings fewer bytes than its stat tells.
    public static final String SHRINKING = "/shrinking";
    /// Writing here fails as a full disk does.
    public static final String FULL = "/full";

    private final Path root;
    private final Map<Path, Map<String, String>> metadata = new ConcurrentHashMap<>();
    private final Set<Watch> watches = new CopyOnWriteArraySet<>();

    FakeFiles(Path root) {
        this.root = root;
    }

    void makeRoot() {
        calling(root, () -> java.nio.file.Files.createDirectories(root));
    }

    void close() {
        watches.forEach(Watch::close);
        calling(root, () -> {
            removeAll(root);
            return true;
        });
    }

    /// Tells every watch of it.
    public void happen(FileEvent event) {
        watches.forEach(watch -> watch.events.add(Optional.of(event)));
    }

    public int watches() {
        return watches.size();
    }

    private Path at(String path) {
        return root.resolve(path.startsWith("/") ? path.substring(1) : path).normalize();
    }

    @Override
    public InputStream read(String path, String user, long offset, long length) {
        return calling(at(path), () -> {
            if (java.nio.file.Files.isDirectory(at(path))) {
                throw Failure.Code.IS_A_DIRECTORY.with(path + " is a directory", "list it");
            }
            InputStream in = java.nio.file.Files.newInputStream(at(path));
            in.skip(offset);
            return new Limited(in, path.equals(SHRINKING) ? 10 : length);
        });
    }

    @Override
    public FileInfo write(String path, String user, int mode, Map<String, String> set, InputStream content) {
        return calling(at(path), () -> {
            if (path.equals(FULL)) {
                throw Failure.Code.DISK_FULL.with("the disk of the sandbox is full", "ask for more with --disk");
            }
            java.nio.file.Files.createDirectories(at(path).getParent());
            Path temporary = java.nio.file.Files.createTempFile(root, "w", ".part");
            try {
                java.nio.file.Files.copy(content, temporary, StandardCopyOption.REPLACE_EXISTING);
                java.nio.file.Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString(mode == 0755 ? "rwxr-xr-x" : "rw-r--r--"));
                java.nio.file.Files.move(temporary, at(path), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
            } finally {
                java.nio.file.Files.deleteIfExists(temporary);
            }
            metadata.put(at(path), Map.copyOf(set));
            return stat(path, user);
        });
    }

    @Override
    public FileInfo stat(String path, String user) {
        return calling(at(path), () -> info(at(path)));
    }

    private FileInfo info(Path file) throws IOException {
        var attributes = java.nio.file.Files.readAttributes(file, java.nio.file.attribute.PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        var kind = attributes.isDirectory() ? FileInfo.Kind.DIRECTORY : attributes.isSymbolicLink() ? FileInfo.Kind.SYMLINK : FileInfo.Kind.FILE;
        int mode = (int) java.nio.file.Files.getAttribute(file, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 0xFFF;
        return new FileInfo(
                String.valueOf(file.getFileName()), "/" + root.relativize(file), "", kind, kind == FileInfo.Kind.FILE ? attributes.size() : 0, mode,
                attributes.owner().getName(), attributes.group().getName(), attributes.lastModifiedTime().toInstant(),
                kind == FileInfo.Kind.SYMLINK ? java.nio.file.Files.readSymbolicLink(file).toString() : "", kind == FileInfo.Kind.SYMLINK ? target(file) : Optional.empty(),
                kind == FileInfo.Kind.FILE ? metadata.getOrDefault(file, Map.of()) : Map.of());
    }

    private Optional<FileInfo.Target> target(Path link) throws IOException {
        if (!java.nio.file.Files.exists(link)) {
            return Optional.empty();
        }
        FileInfo end = info(link.toRealPath());
        return Optional.of(new FileInfo.Target(end.path(), end.kind(), end.size(), end.mode()));
    }

    @Override
    public List<FileInfo> list(String path, String user, int depth) {
        return calling(at(path), () -> {
            if (java.nio.file.Files.isRegularFile(at(path))) {
                throw new NotDirectoryException(path);
            }
            try (var walk = java.nio.file.Files.walk(at(path), depth)) {
                var entries = new java.util.ArrayList<FileInfo>();
                for (Path file : walk.filter(file -> !file.equals(at(path))).sorted().toList()) {
                    entries.add(info(file));
                }
                return entries;
            }
        });
    }

    @Override
    public boolean makeDirectory(String path, String user) {
        return calling(at(path), () -> {
            boolean there = java.nio.file.Files.isDirectory(at(path));
            java.nio.file.Files.createDirectories(at(path));
            return !there;
        });
    }

    @Override
    public FileInfo rename(String from, String to, String user) {
        return calling(at(from), () -> {
            java.nio.file.Files.move(at(from), at(to));
            return info(at(to));
        });
    }

    @Override
    public void remove(String path, String user) {
        calling(at(path), () -> {
            removeAll(at(path));
            return true;
        });
    }

    private static void removeAll(Path path) throws IOException {
        try (var walk = java.nio.file.Files.walk(path)) {
            for (Path file : walk.sorted(Comparator.reverseOrder()).toList()) {
                java.nio.file.Files.delete(file);
            }
        }
    }

    @Override
    public FileWatch watch(String path, String user, boolean recursive) {
        stat(path, user);
        var watch = new Watch();
        watches.add(watch);
        return watch;
    }

    private final class Watch implements FileWatch {
        private final LinkedBlockingQueue<Optional<FileEvent>> events = new LinkedBlockingQueue<>();

        @Override
        public Optional<FileEvent> next() throws InterruptedException {
            return events.take();
        }

        @Override
        public void close() {
            watches.remove(this);
            events.add(Optional.empty());
        }
    }

    private interface Body<T> {
        T run() throws IOException;
    }

    private static <T> T calling(Path file, Body<T> body) {
        try {
            return body.run();
        } catch (SandboxException e) {
            throw e;
        } catch (NoSuchFileException e) {
            throw Failure.Code.FILE_NOT_FOUND.with("there is no file " + file, "list its directory", e);
        } catch (FileAlreadyExistsException e) {
            throw Failure.Code.FILE_EXISTS.with(file + " exists", "remove it first", e);
        } catch (NotDirectoryException e) {
            throw Failure.Code.NOT_A_DIRECTORY.with(file + " is not a directory", "name one", e);
        } catch (AccessDeniedException e) {
            throw Failure.Code.FILE_DENIED.with(file + " is not yours", "use another user", e);
        } catch (DirectoryNotEmptyException e) {
            throw Failure.Code.FILE_FAILED.with(file + " is not empty", "empty it", e);
        } catch (IOException e) {
            throw Failure.Code.FILE_FAILED.with("cannot do it: " + e.getMessage(), "try again", e);
        }
    }

    private static final class Limited extends java.io.FilterInputStream {
        private long left;

        Limited(InputStream in, long length) {
            super(in);
            left = length;
        }

        @Override
        public int read() throws IOException {
            int b = left == 0 ? -1 : super.read();
            left -= b < 0 ? 0 : 1;
            return b;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            if (left == 0) {
                return -1;
            }
            int count = super.read(into, offset, (int) Math.min(length, left));
            left -= Math.max(0, count);
            return count;
        }
    }
}
