package dev.caisson.runtime.microvm;

import dev.caisson.host.SealedMemory;
import dev.caisson.host.SparseDigest;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// Snapshots on disk, one directory each, named by the key of its origin: `memory`, `state`, `disk` and a manifest that says what they were made from and what is in
/// them.
///
/// Nothing in it is believed because it is there: a snapshot made from something else, or of which a byte has changed, is set aside and said so.
/// Threads: one at a time for a key.
final class SnapshotStore {
    /// Those used longest ago go first.
    private static final int MAX_KEPT = 12;
    /// For whoever wants to know what was wrong with them.
    private static final int MAX_REFUSED = 2;
    private static final Duration DRAFT_BOUND = Duration.ofHours(1);
    private static final String DRAFT = ".new";
    private static final String REFUSED = ".refused";
    private static final int MAX_MANIFEST_BYTES = 1 << 20;
    private static final int MAX_STATE_BYTES = 64 << 20;
    private static final String MANIFEST = "manifest";
    /// When it was last used: this file's time, by the file system's own clock.
    private static final String USED = "used";
    private static final List<String> FILES = List.of("memory", "state", "disk");

    private final Path root;
    private final boolean sealed;

    /// @param sealed whether memory is to be held in this process, unchangeable
    SnapshotStore(Path root, boolean sealed) {
        this.root = root;
        this.sealed = sealed;
    }

    Path root() {
        return root;
    }

    /// A snapshot that is being made.
    record Draft(Origin origin, Path directory) {
        Path memory() {
            return directory.resolve("memory");
        }

        Path state() {
            return directory.resolve("state");
        }

        Path disk() {
            return directory.resolve("disk");
        }
    }

    /// An empty directory for a new one; what a killed process left of an earlier draft is gone.
    Draft draft(Origin origin) throws IOException {
        Files.createDirectories(root);
        Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwx--x--x"));
        Path directory = root.resolve(origin.key() + DRAFT);
        remove(directory);
        Files.createDirectory(directory);
        return new Draft(origin, directory);
    }

    /// Gives a draft its name, when its three files are whole.
    void keep(Draft draft) throws IOException {
        for (String name : FILES) {
            Files.setPosixFilePermissions(draft.directory().resolve(name), PosixFilePermissions.fromString("r--r--r--"));
        }
        Path directory = draft.directory();
        var digests = new HashMap<String, String>();
        for (String name : FILES) {
            digests.put(name, SparseDigest.of(directory.resolve(name)));
        }
        byte[] manifest = Json.object(out -> {
            Json.writeTexts(out, "origin", draft.origin().lines());
            Json.writeMap(out, "digests", digests);
        });
        Files.write(directory.resolve(MANIFEST), manifest);
        Path kept = root.resolve(draft.origin().key());
        remove(kept);
        Files.move(directory, kept, StandardCopyOption.ATOMIC_MOVE);
        Files.write(kept.resolve(USED), new byte[0]);
        removeOldest(lastUse(kept));
    }

    /// Removes what has not been kept of a draft.
    void drop(Draft draft) throws IOException {
        remove(draft.directory());
    }

    /// The snapshot of that origin; empty when there is none that is whole.
    Optional<Snapshot> find(Origin origin) throws IOException {
        Path directory = root.resolve(origin.key());
        if (!Files.isDirectory(directory)) {
            return Optional.empty();
        }
        try {
            Snapshot snapshot = read(origin, directory);
            Files.write(directory.resolve(USED), new byte[0]);
            return Optional.of(snapshot);
        } catch (IOException | SandboxException e) {
            Path aside = root.resolve(origin.key() + REFUSED);
            remove(aside);
            Files.move(directory, aside, StandardCopyOption.ATOMIC_MOVE);
            System.getLogger(SnapshotStore.class.getName()).log(System.Logger.Level.ERROR, "snapshot " + directory + " is refused and will be made anew, its files are in " + aside + ": " + e.getMessage());
            return Optional.empty();
        }
    }

    /// Says that it is used. False when it is not there any more: it was removed for others, or by somebody else.
    boolean isUsed(Snapshot snapshot) throws IOException {
        try {
            Files.write(snapshot.disk().resolveSibling(USED), new byte[0], StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
            return true;
        } catch (NoSuchFileException _) {
            return false;
        }
    }

    private Snapshot read(Origin origin, Path directory) throws IOException {
        Path file = directory.resolve(MANIFEST);
        if (Files.size(file) > MAX_MANIFEST_BYTES) {
            throw new IOException("its manifest is too long");
        }
        JsonObject manifest = JsonObject.parse(Files.readAllBytes(file));
        List<String> made = manifest.texts("origin").orElseThrow(() -> manifest.missing("origin"));
        if (!made.equals(origin.lines())) {
            throw new IOException("it was made from something else: " + difference(made, origin.lines()));
        }
        JsonObject digests = manifest.child("digests").orElseThrow(() -> manifest.missing("digests"));
        Path memory = directory.resolve("memory");
        Path disk = directory.resolve("disk");
        Path state = directory.resolve("state");
        if (Files.size(memory) != origin.shape().memory().bytes()) {
            throw new IOException("its memory is " + Files.size(memory) + " bytes long");
        }
        if (Files.size(state) > MAX_STATE_BYTES) {
            throw new IOException("its state is " + Files.size(state) + " bytes long");
        }
        SparseDigest.require(disk, digests.text("disk"));
        SparseDigest.require(state, digests.text("state"));
        byte[] bytes = Files.readAllBytes(state);
        if (sealed) {
            return new Snapshot(Optional.of(SealedMemory.load(memory, digests.text("memory"))), memory, bytes, disk);
        }
        SparseDigest.require(memory, digests.text("memory"));
        return new Snapshot(Optional.empty(), memory, bytes, disk);
    }

    private static String difference(List<String> made, List<String> wanted) {
        return wanted.stream().filter(line -> !made.contains(line)).findFirst().map(line -> "not '" + line + "'").orElse("more than it says");
    }

    private void removeOldest(FileTime now) throws IOException {
        List<Path> all;
        try (Stream<Path> entries = Files.list(root)) {
            all = entries.sorted(Comparator.comparing(SnapshotStore::lastUse).reversed()).toList();
        }
        var old = new ArrayList<Path>();
        all.stream().filter(path -> !path.getFileName().toString().contains(".")).skip(MAX_KEPT).forEach(old::add);
        all.stream().filter(path -> path.toString().endsWith(REFUSED)).skip(MAX_REFUSED).forEach(old::add);
        for (Path path : all) {
            // A node that was killed left it; whoever makes one now began later.
            if (path.toString().endsWith(DRAFT) && Files.getLastModifiedTime(path).toInstant().isBefore(now.toInstant().minus(DRAFT_BOUND))) {
                old.add(path);
            }
        }
        for (Path path : old) {
            remove(path);
        }
    }

    private static FileTime lastUse(Path directory) {
        try {
            return Files.getLastModifiedTime(directory.resolve(USED));
        } catch (IOException _) {
            return FileTime.fromMillis(0);
        }
    }

    /// Only what this class makes: three files and a manifest.
    private static void remove(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            return;
        }
        for (String name : Stream.concat(FILES.stream(), Stream.of(MANIFEST, USED)).toList()) {
            Files.deleteIfExists(directory.resolve(name));
        }
        Files.delete(directory);
    }
}
