package dev.caisson.host;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// The mounts of our mount namespace at one moment, oldest first, as `/proc/self/mountinfo` tells them (proc_pid_mountinfo(5)).
record MountTable(List<Mount> mounts) {
    /// @param point where it is mounted
    /// @param type of filesystem, such as `ext4`
    /// @param options per mount, such as `ro,nosuid`
    /// @param source device or what the filesystem calls it
    /// @param superOptions per filesystem
    record Mount(Path point, String type, String options, String source, String superOptions) {}

    MountTable {
        mounts = List.copyOf(mounts);
    }

    static MountTable read() throws IOException {
        return read(Path.of("/proc/self/mountinfo"));
    }

    static MountTable read(Path mountinfo) throws IOException {
        var mounts = new ArrayList<Mount>();
        // Mount points are bytes; ISO 8859-1 keeps foreign ones apart without failing on them.
        for (String line : Files.readAllLines(mountinfo, StandardCharsets.ISO_8859_1)) {
            var words = line.split(" ");
            int dash = Arrays.asList(words).indexOf("-");
            if (dash < 6 || words.length < dash + 4) {
                throw new IOException("unexpected line in " + mountinfo + ": " + line);
            }
            mounts.add(new Mount(Path.of(unescaped(words[4])), words[dash + 1], words[5], unescaped(words[dash + 2]), words[dash + 3]));
        }
        return new MountTable(mounts);
    }

    boolean has(Path point) {
        return mounts.stream().anyMatch(mount -> mount.point().equals(point));
    }

    /// Mount points strictly below a directory, deepest and newest first: the order to unmount them in.
    List<Path> below(Path directory) {
        var found = new ArrayList<Path>();
        for (var mount : mounts.reversed()) {
            if (mount.point().startsWith(directory) && !mount.point().equals(directory)) {
                found.add(mount.point());
            }
        }
        return found;
    }

    /// Space, tab, newline and backslash come as three octal digits.
    private static String unescaped(String word) {
        if (word.indexOf('\\') < 0) {
            return word;
        }
        var text = new StringBuilder();
        for (int i = 0; i < word.length(); i++) {
            if (word.charAt(i) == '\\' && i + 3 < word.length()) {
                text.append((char) Integer.parseInt(word, i + 1, i + 4, 8));
                i += 3;
            } else {
                text.append(word.charAt(i));
            }
        }
        return text.toString();
    }
}
