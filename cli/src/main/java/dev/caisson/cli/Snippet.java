package dev.caisson.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// A local file that is to be run in a sandbox.
///
/// @param interpreter what its shebang says, else what its extension says
record Snippet(Path file, List<String> interpreter) {
    /// Linux reads that much of a first line (BINPRM_BUF_SIZE).
    private static final int SHEBANG_BYTES = 256;

    Snippet {
        interpreter = List.copyOf(interpreter);
    }

    static Snippet of(Path file) {
        LocalFile.check(file);
        try {
            var interpreter = shebang(file).or(() -> extension(file));
            return new Snippet(file, interpreter.orElseThrow(() -> new CliException(
                    "cannot tell what runs " + file, "give it a first line like #!/usr/bin/env python3, or an ending .py, .js or .sh, or run `-- PROGRAM " + file.getFileName() + "` with --file " + file)));
        } catch (IOException e) {
            throw new CliException("cannot read " + file + ": " + e.getMessage(), "make it readable", e);
        }
    }

    private static Optional<List<String>> shebang(Path file) throws IOException {
        byte[] start;
        try (var in = Files.newInputStream(file)) {
            start = in.readNBytes(SHEBANG_BYTES);
        }
        if (start.length < 2 || start[0] != '#' || start[1] != '!') {
            return Optional.empty();
        }
        int end = 2;
        while (end < start.length && start[end] != '\n') {
            end++;
        }
        String line = new String(start, 2, end - 2, StandardCharsets.UTF_8).strip();
        if (line.isEmpty()) {
            return Optional.empty();
        }
        // Like the kernel: the interpreter, then everything else as one argument; `env -S` splits it itself.
        var words = new ArrayList<>(Arrays.asList(line.split("[ \\t]+", 2)));
        return Optional.of(words);
    }

    private static Optional<List<String>> extension(Path file) {
        String name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
        int dot = name.lastIndexOf('.');
        String ending = dot < 0 ? "" : name.substring(dot + 1);
        return switch (ending) {
            case "py" -> Optional.of(List.of("python3"));
            case "js", "mjs", "cjs" -> Optional.of(List.of("node"));
            case "sh", "bash" -> Optional.of(List.of("bash"));
            default -> Optional.empty();
        };
    }

    String name() {
        return String.valueOf(file.getFileName());
    }
}
