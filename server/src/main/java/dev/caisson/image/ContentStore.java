package dev.caisson.image;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.TemplateName;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Image files by the SHA-256 of their content, and which recipe made which.
///
/// On disk: `blobs/sha256/<hex>` (mode 0400) are the images; `index/<hex of a recipe's digest>` is text, its first line `image sha256:<hex>`, its
/// second `template NAME`, then `package NAME VERSION` for each Debian package inside. Whatever has its final name is complete and on stable
/// storage. `build.lock` and `mount.lock` are locked by whoever builds or mounts.
/// Threads: one at a time per process, see [#lock].
final class ContentStore {
    private static final Duration LONGEST_WAIT = Duration.ofMinutes(30);
    private static final Duration POLL = Duration.ofMillis(50);
    private static final long MAX_INDEX_BYTES = 1 << 20;

    private final Path root;
    private final Path blobs;
    private final Path index;

    private ContentStore(Path root) {
        this.root = root;
        this.blobs = root.resolve("blobs/sha256");
        this.index = root.resolve("index");
    }

    static ContentStore open(Path root) throws IOException {
        var store = new ContentStore(root);
        Files.createDirectories(store.blobs);
        Files.createDirectories(store.index);
        return store;
    }

    /// What may be done by one process at a time.
    enum Work {
        BUILD,
        MOUNT
    }

    /// A lock held; the kernel lets it go when the process ends in any way.
    interface Held extends AutoCloseable {
        @Override
        void close() throws IOException;
    }

    /// Waits, at most 30 minutes, until nobody else does that work.
    Held lock(Work work) throws IOException, InterruptedException {
        long start = System.nanoTime();
        while (true) {
            var held = tryLock(work);
            if (held.isPresent()) {
                return held.get();
            }
            if (System.nanoTime() - start > LONGEST_WAIT.toNanos()) {
                throw new IOException(lockFile(work) + " is held by another process for more than " + LONGEST_WAIT.toMinutes() + " minutes");
            }
            Thread.sleep(POLL);
        }
    }

    Optional<Held> tryLock(Work work) throws IOException {
        var channel = FileChannel.open(lockFile(work), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            if (channel.tryLock() != null) {
                return Optional.of(channel::close);
            }
        } catch (OverlappingFileLockException _) {
            // Somebody in this very process has it.
        } catch (IOException e) {
            channel.close();
            throw e;
        }
        channel.close();
        return Optional.empty();
    }

    private Path lockFile(Work work) {
        return root.resolve(work == Work.BUILD ? "build.lock" : "mount.lock");
    }

    Path root() {
        return root;
    }

    Path file(String digest) {
        return blobs.resolve(Digest.hex(digest));
    }

    boolean has(String digest) {
        return Files.isRegularFile(file(digest));
    }

    /// The digest of the image that this recipe made, if it was built.
    Optional<String> image(Recipe recipe) throws IOException {
        return entry(index.resolve(Digest.hex(recipe.digest()))).map(Entry::image);
    }

    /// As [#image], by one look at the directory.
    boolean knows(Recipe recipe) {
        return Files.exists(index.resolve(Digest.hex(recipe.digest())));
    }

    /// Forgets what a recipe made; its file goes with [#collect].
    boolean remove(Recipe recipe) throws IOException {
        return Files.deleteIfExists(index.resolve(Digest.hex(recipe.digest())));
    }

    private record Entry(String image, String template) {}

    /// Empty for a file that is absent or not ours; such an entry counts as not built.
    private static Optional<Entry> entry(Path file) throws IOException {
        try {
            if (Files.size(file) > MAX_INDEX_BYTES) {
                return Optional.empty();
            }
            var lines = Files.readAllLines(file);
            if (lines.size() < 2 || !lines.getFirst().startsWith("image ") || !lines.get(1).startsWith("template ")) {
                return Optional.empty();
            }
            var image = lines.getFirst().substring("image ".length());
            return Digest.is(image) ? Optional.of(new Entry(image, lines.get(1).substring("template ".length()))) : Optional.empty();
        } catch (NoSuchFileException _) {
            return Optional.empty();
        }
    }

    /// Reads the whole file.
    ///
    /// Errors: [Failure.Code#IMAGE_CORRUPT].
    void verify(String digest, TemplateName template) throws IOException, InterruptedException {
        var found = Digest.of(file(digest));
        if (!found.equals(digest)) {
            throw Failure.Code.IMAGE_CORRUPT.with(
                    "the image of template " + template + " is corrupted: " + file(digest) + " should be " + digest + " but is " + found,
                    "run 'caisson template build --again " + template + "'");
        }
    }

    /// Takes over a finished image and what is known of it, durably; a file of the same digest is replaced.
    ///
    /// @param packages lines of `NAME VERSION`
    String put(Path image, Recipe recipe, List<String> packages) throws IOException, InterruptedException {
        var digest = Digest.of(image);
        Files.setPosixFilePermissions(image, PosixFilePermissions.fromString("r--r--r--"));
        move(image, file(digest));
        var lines = new ArrayList<>(List.of("image " + digest, "template " + recipe.name()));
        packages.forEach(line -> lines.add("package " + line));
        var name = Digest.hex(recipe.digest());
        var draft = index.resolve(name + ".new");
        Files.write(draft, lines);
        move(draft, index.resolve(name));
        forget(recipe);
        return digest;
    }

    private static void move(Path from, Path to) throws IOException {
        try (var channel = FileChannel.open(from, StandardOpenOption.READ)) {
            channel.force(true);
        }
        Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        try (var directory = FileChannel.open(to.getParent(), StandardOpenOption.READ)) {
            directory.force(true);
        }
    }

    /// Other recipes of the same template are older ones.
    private void forget(Recipe recipe) throws IOException {
        for (var file : list(index)) {
            var entry = entry(file);
            boolean drafted = file.getFileName().toString().endsWith(".new");
            boolean ours = file.getFileName().toString().equals(Digest.hex(recipe.digest()));
            if (drafted || (!ours && entry.isPresent() && entry.get().template().equals(recipe.name().value()))) {
                Files.delete(file);
            }
        }
    }

    /// Deletes images that no recipe names and nobody has mounted.
    ///
    /// @param mounted names as [ImageMounts#name] makes them
    void collect(Set<String> mounted) throws IOException {
        var wanted = new HashSet<String>();
        for (var file : list(index)) {
            entry(file).ifPresent(entry -> wanted.add(entry.image()));
        }
        for (var file : list(blobs)) {
            var digest = Digest.PREFIX + file.getFileName();
            if (!wanted.contains(digest) && !(Digest.is(digest) && mounted.contains(ImageMounts.name(digest)))) {
                Files.delete(file);
            }
        }
    }

    private static List<Path> list(Path directory) throws IOException {
        try (var files = Files.list(directory)) {
            return files.toList();
        }
    }
}
