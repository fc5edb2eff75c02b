package dev.caisson.runtime.qemu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// What the kernel says of a process.
record ProcessFacts(Path directory) {
    ProcessFacts(int process) {
        this(Path.of("/proc/" + process));
    }

    static ProcessFacts own() {
        return new ProcessFacts(Path.of("/proc/self"));
    }

    String status(String key) throws IOException {
        return Files.readAllLines(directory.resolve("status")).stream().filter(line -> line.startsWith(key + ":")).map(line -> line.substring(key.length() + 1).strip()).findFirst().orElseThrow();
    }

    String namespace(String name) throws IOException {
        return Files.readSymbolicLink(directory.resolve("ns").resolve(name)).toString();
    }

    Object namespaceFile(String name) throws IOException {
        return Files.getAttribute(directory.resolve("ns").resolve(name), "unix:ino");
    }

    /// The soft limit.
    String limit(String name) throws IOException {
        return Files.readAllLines(directory.resolve("limits")).stream().filter(line -> line.startsWith(name)).map(line -> line.substring(name.length()).strip().split(" +")[0]).findFirst().orElseThrow();
    }

    /// Of each hierarchy in which it is not in the root, its path.
    List<String> cgroups() throws IOException {
        return Files.readAllLines(directory.resolve("cgroup")).stream().map(line -> line.substring(line.lastIndexOf(':') + 1)).filter(path -> !path.equals("/")).toList();
    }

    List<String> openFiles() throws IOException {
        var all = new ArrayList<String>();
        try (var files = Files.newDirectoryStream(directory.resolve("fd"))) {
            for (Path file : files) {
                all.add(Files.readSymbolicLink(file).toString());
            }
        }
        return all;
    }

    List<String> mountPoints() throws IOException {
        return Files.readAllLines(directory.resolve("mountinfo")).stream().map(line -> line.split(" ")[4]).toList();
    }

    List<String> writableMountPoints() throws IOException {
        return Files.readAllLines(directory.resolve("mountinfo")).stream().map(line -> line.split(" ")).filter(field -> field[5].startsWith("rw")).map(field -> field[4]).toList();
    }
}
