package dev.caisson.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The words of this process's command line.
///
/// Java decodes them by the locale, and what it cannot decode becomes U+FFFD: another word than the one that was typed. Only where there is such a character
/// the kernel is asked for the bytes.
final class Words {
    private static final String UNKNOWN = "\ufffd";

    private Words() {}

    /// The words as they were typed.
    ///
    /// @param args as Java has decoded them
    /// Errors: a [CliException] when one is not UTF-8; what runs in a sandbox is asked for in JSON, which cannot carry it.
    static String[] exact(String[] args) {
        for (String arg : args) {
            if (arg.contains(UNKNOWN)) {
                return decoded(typed(args.length));
            }
        }
        return args;
    }

    /// The last words of the command line; those before are the JVM's.
    private static List<ByteBuffer> typed(int count) {
        try {
            byte[] line = Files.readAllBytes(Path.of("/proc/self/cmdline"));
            var words = new ArrayList<ByteBuffer>();
            int start = 0;
            for (int i = 0; i < line.length; i++) {
                if (line[i] == 0) {
                    words.add(ByteBuffer.wrap(line, start, i - start));
                    start = i + 1;
                }
            }
            return words.subList(words.size() - count, words.size());
        } catch (IOException e) {
            throw new CliException("cannot read the command line: " + e.getMessage(), "run with /proc mounted", e);
        }
    }

    private static String[] decoded(List<ByteBuffer> words) {
        var texts = new String[words.size()];
        for (int i = 0; i < texts.length; i++) {
            var word = words.get(i);
            try {
                texts[i] = StandardCharsets.UTF_8.newDecoder().decode(word.duplicate()).toString();
            } catch (CharacterCodingException e) {
                throw new CliException(
                        "not UTF-8: the argument '" + StandardCharsets.UTF_8.decode(word.duplicate()) + "'", "rename the file, or pass such bytes through standard input or in a file", e);
            }
        }
        return texts;
    }
}
