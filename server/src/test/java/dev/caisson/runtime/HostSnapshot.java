package dev.caisson.runtime;

import dev.caisson.host.Home;
import dev.caisson.host.Mounts;
import dev.caisson.sandbox.Resource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/// Everything that an installation holds of the host's kernel, found from outside: what is mounted, attached, grouped, running, and lying about.
public record HostSnapshot(Set<String> things) {

    public static HostSnapshot take(Home home) throws IOException {
        var things = new TreeSet<String>();
        Mounts.below(home.path()).forEach(point -> things.add("mount " + point));
        try (var trees = Files.walk(Path.of("/sys/fs/cgroup"), 1)) {
            trees.forEach(tree -> directories(tree.resolve(home.cgroupParent())).forEach(group -> things.add("cgroup " + group)));
        }
        try (var blocks = Files.newDirectoryStream(Path.of("/sys/block"), "loop*")) {
            for (Path block : blocks) {
                var backing = text(block.resolve("loop/backing_file")).strip();
                if (backing.startsWith(home.path().toString())) {
                    things.add("loop " + backing);
                }
            }
        }
        try (var files = walk(home.sandboxes())) {
            files.filter(file -> file.getNameCount() == home.sandboxes().getNameCount() + 2).forEach(file -> things.add("file " + file));
        }
        try (var processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            for (Path process : processes) {
                // One that has ended and waits for init to look is none; the tree of version 2 shows its cgroup until then.
                boolean ended = text(process.resolve("stat")).contains(") Z ");
                if (!ended && (text(process.resolve("cgroup")).contains(home.cgroupParent()) || text(process.resolve("cmdline")).contains(home.path().toString()))) {
                    things.add("process " + process.getFileName());
                }
            }
        }
        return new HostSnapshot(things);
    }

    /// Things that none of the resources speaks for.
    public List<String> uncovered(List<Resource> resources) {
        return things.stream().filter(thing -> resources.stream().noneMatch(resource -> covers(resource, thing))).toList();
    }

    public HostSnapshot since(HostSnapshot before) {
        var fresh = new TreeSet<>(things);
        fresh.removeAll(before.things);
        return new HostSnapshot(fresh);
    }

    private static boolean covers(Resource resource, String thing) {
        var kind = thing.substring(0, thing.indexOf(' '));
        var name = thing.substring(thing.indexOf(' ') + 1);
        return switch (resource.kind()) {
            case CGROUP -> kind.equals("cgroup") && name.endsWith(resource.name());
            case PROCESSES -> kind.equals("process") && text(Path.of("/proc", name, "cgroup")).contains(resource.name());
            case MOUNT -> kind.equals("mount") && name.equals(resource.name());
            case NETWORK_NAMESPACE -> (kind.equals("mount") || kind.equals("file")) && name.equals(resource.name());
            case LOOP_DEVICE -> kind.equals("loop") && name.equals(resource.name());
            case RUNTIME_STATE -> (kind.equals("mount") || kind.equals("file")) && (name + "/").startsWith(resource.name() + "/");
            case DIRECTORY -> kind.equals("file") && (name + "/").startsWith(resource.name() + "/");
            case DISK, SOCKET -> kind.equals("file") && name.equals(resource.name());
        };
    }

    private static List<Path> directories(Path parent) {
        if (!Files.isDirectory(parent)) {
            return List.of();
        }
        try (var entries = Files.list(parent)) {
            return entries.filter(Files::isDirectory).toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    private static Stream<Path> walk(Path directory) throws IOException {
        try {
            return Files.walk(directory, 2);
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static String text(Path file) {
        try {
            return Files.readString(file, java.nio.charset.StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }
}
