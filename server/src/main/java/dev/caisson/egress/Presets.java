package dev.caisson.egress;

import dev.caisson.json.Forms;
import dev.caisson.json.JsonObject;
import dev.caisson.json.Yaml;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Lists of rules under a name, such as `git-hosting`: those that come with the program, and the operator's, one file each, called `NAME.yaml`; his go first.
///
/// A file has `about`, a line for people, and `rules`. It is read anew each time it is asked for.
/// Threads: safe for many.
public final class Presets {
    private static final List<String> BUILT_IN = List.of("git-hosting", "model-apis");
    private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9-]{0,39}");
    private static final String ENDING = ".yaml";

    private final Path directory;

    /// @param directory of the operator's; it may not be there
    public Presets(Path directory) {
        this.directory = directory;
    }

    /// One preset.
    ///
    /// @param rules each with a name that begins with the preset's, so that "why" leads here
    /// @param file the operator's; empty for one that comes with the program
    public record Preset(String name, String about, List<EgressRule> rules, Optional<Path> file) {
        public Preset {
            rules = List.copyOf(rules);
        }
    }

    public SortedSet<String> names() {
        var names = new TreeSet<>(BUILT_IN);
        try (var files = Files.newDirectoryStream(directory, "*" + ENDING)) {
            for (Path file : files) {
                String name = String.valueOf(file.getFileName());
                name = name.substring(0, name.length() - ENDING.length());
                if (NAME.matcher(name).matches()) {
                    names.add(name);
                }
            }
        } catch (NoSuchFileException | NotDirectoryException _) {
            // Then the operator has none.
        } catch (IOException | DirectoryIteratorException e) {
            throw unreadable(directory, e);
        }
        return names;
    }

    /// Errors: [Failure.Code#BAD_REQUEST] for one that is not there, naming those that are, and for a file with mistakes.
    public List<EgressRule> rules(String name) {
        return preset(name).rules();
    }

    /// Errors: as [#rules].
    public Preset preset(String name) {
        if (NAME.matcher(name).matches()) {
            Path file = directory.resolve(name + ENDING);
            byte[] own = own(file);
            if (own != null) {
                return read(name, own, Optional.of(file));
            }
            if (BUILT_IN.contains(name)) {
                return read(name, resource(name), Optional.empty());
            }
        }
        throw Failure.Code.BAD_REQUEST.with("there is no preset '" + Failure.shown(name) + "'", "those there are: " + String.join(", ", names()));
    }

    private static byte @Nullable [] own(Path file) {
        try {
            return Files.size(file) > Yaml.MAX_BYTES ? new byte[Yaml.MAX_BYTES + 1] : Files.readAllBytes(file);
        } catch (NoSuchFileException _) {
            return null;
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    private static byte[] resource(String name) {
        try (InputStream in = Presets.class.getResourceAsStream("presets/" + name + ENDING)) {
            if (in == null) {
                throw new IllegalStateException("the preset " + name + " is not on the class path");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Preset read(String name, byte[] document, Optional<Path> file) {
        try {
            JsonObject in = Yaml.parse(document);
            var rules = new ArrayList<EgressRule>();
            for (EgressRule rule : in.either("rules", EgressRule::allow, Forms.EGRESS_RULE).orElse(List.of())) {
                rules.add(rule.withName(name + "." + (rule.name().isEmpty() ? Integer.toString(rules.size() + 1) : rule.name())));
            }
            var preset = new Preset(name, in.text("about", ""), rules, file);
            in.end();
            return preset;
        } catch (SandboxException e) {
            throw e.code().with("the preset " + name + " cannot be used: " + e.failure().message(), e.failure().remedy() + file.map(path -> "; it is in " + path).orElse(""), e);
        }
    }

    private static SandboxException unreadable(Path file, Exception e) {
        return Failure.Code.HOST_UNFIT.with("cannot read " + file + ": " + e.getMessage(), "see whose it is: the user caisson has to read it", e);
    }
}
