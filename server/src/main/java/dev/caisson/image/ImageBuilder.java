package dev.caisson.image;

import dev.caisson.host.Child;
import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/// Makes a root image from a recipe: mmdebstrap unpacks the packages, the recipe's script runs inside, mkfs.erofs packs the result.
///
/// Everything happens in one directory that [#sweep] removes.
/// Threads: one at a time, see [ContentStore#lock].
final class ImageBuilder {
    private static final long NEEDED_BYTES = 3L << 30;
    /// Any fixed one will do; a random one would make each build another image.
    private static final String FILESYSTEM_UUID = "ca155000-0000-4000-8000-000000000000";

    private final Path directory;
    private final Path logs;

    ImageBuilder(Path directory, Path logs) {
        this.directory = directory;
        this.logs = logs;
    }

    /// An image not yet in the store.
    ///
    /// @param packages lines of `NAME VERSION`
    record Built(Path image, List<String> packages) {}

    Path log(Recipe recipe) {
        return logs.resolve("image-" + recipe.name() + ".log");
    }

    /// Errors: [Failure.Code#HOST_DISK_FULL]; an [IOException] with the last words of the program that failed.
    Built build(Recipe recipe, Consumer<String> progress) throws IOException, InterruptedException {
        Files.createDirectories(directory);
        Files.createDirectories(logs);
        long free = directory.toFile().getUsableSpace();
        if (free < NEEDED_BYTES) {
            throw Failure.Code.HOST_DISK_FULL.with(
                    "building template " + recipe.name() + " needs " + (NEEDED_BYTES >> 20) + " MiB below " + directory + ", " + (free >> 20) + " MiB are free",
                    "free some space or set CAISSON_HOME to another disk");
        }
        Files.deleteIfExists(log(recipe));
        var root = directory.resolve("root");
        var image = directory.resolve("image.erofs");
        var steps = new BuildSteps(recipe, directory, log(recipe), progress);
        steps.run("install packages", mmdebstrap(recipe, root));
        for (var file : recipe.files()) {
            add(file, root);
        }
        steps.run("set up", inside(root, recipe.setup()));
        steps.run("clean", inside(root, Recipe.resource("finish.sh")));
        var packages = packages(root);
        // lz4hc: half the size of plain, and no slower to start Python or Node from (docs/decisions/0005-root-image.md).
        steps.run("pack", List.of(
                "mkfs.erofs", "--quiet", "-zlz4hc", "-T" + recipe.time().getEpochSecond(), "-U" + FILESYSTEM_UUID, image.toString(), root.toString()));
        progress.accept("template " + recipe.name() + ": " + packages.size() + " packages, " + (Files.size(image) >> 20) + " MiB");
        return new Built(image, packages);
    }

    private List<String> mmdebstrap(Recipe recipe, Path root) throws IOException, InterruptedException {
        var host = AptHost.read(directory, recipe.suite());
        var argv = new ArrayList<>(List.of("mmdebstrap", "--mode=root", "--variant=apt", "--format=directory", "--verbose", "--components=main"));
        host.options().forEach(option -> argv.add("--aptopt=" + option));
        argv.add("--aptopt=APT::Install-Recommends \"false\"");
        // What a power cut would lose is only a build.
        argv.add("--dpkgopt=force-unsafe-io");
        for (var unwanted : List.of("man", "info", "locale", "doc", "lintian")) {
            argv.add("--dpkgopt=path-exclude=/usr/share/" + unwanted + "/*");
        }
        // Licences must travel with what they license.
        argv.add("--dpkgopt=path-include=/usr/share/doc/*/copyright");
        if (!recipe.packages().isEmpty()) {
            argv.add("--include=" + String.join(",", recipe.packages()));
        }
        argv.add(recipe.suite());
        argv.add(root.toString());
        argv.addAll(host.sources());
        return argv;
    }

    /// The new root is Debian's, nobody's who is hostile: its directories are what they seem.
    private static void add(AddedFile file, Path root) throws IOException {
        var path = root.resolve(file.path().substring(1));
        Files.createDirectories(path.getParent());
        Files.writeString(path, file.content());
        Files.setPosixFilePermissions(path, permissions(file.mode()));
    }

    private static Set<PosixFilePermission> permissions(String octal) {
        int bits = Integer.parseInt(octal, 8);
        var all = PosixFilePermission.values();
        var set = EnumSet.noneOf(PosixFilePermission.class);
        for (int i = 0; i < all.length; i++) {
            if ((bits & 0400 >> i) != 0) {
                set.add(all[i]);
            }
        }
        return set;
    }

    private static List<String> inside(Path root, String script) {
        return List.of("chroot", root.toString(), "/bin/sh", "-euc", script);
    }

    private List<String> packages(Path root) throws IOException, InterruptedException {
        var list = directory.resolve("packages.txt");
        Child.of(list, "dpkg-query", "--admindir=" + root.resolve("var/lib/dpkg"), "--show", "--showformat=${Package} ${Version}\\n").mustRun(Duration.ofSeconds(30));
        return Files.readAllLines(list).stream().sorted().toList();
    }

    /// Removes what is left of an earlier build. Only with the lock held: then no build of this installation is alive.
    void sweep() throws IOException, InterruptedException {
        if (Files.exists(directory)) {
            // By rm, not by the JDK: names inside are any bytes. One file system: never into something mounted.
            Child.of(Path.of("/dev/null"), "rm", "--recursive", "--force", "--one-file-system", directory.toString()).mustRun(Duration.ofMinutes(5));
        }
    }
}
