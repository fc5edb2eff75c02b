package dev.caisson.image;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.TemplateName;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/// What a template is made of: Debian packages, files, and a script that is run inside the new root, once, as root and without a network; and what
/// its sandboxes begin with.
///
/// Written as lines, `#` starts a comment:
///
/// | line | meaning |
/// |---|---|
/// | `from NAME` | everything of that other recipe first; the first line, if at all |
/// | `suite NAME`, `time INSTANT` | once each, unless `from` says them |
/// | `package NAME…` | any number |
/// | `file PATH MODE` | the file of this room's resources in the directory with the recipe's name, called like the last part of PATH, goes to PATH |
/// | `start USER COMMAND…` | run by `/bin/sh` in every new sandbox |
/// | `ready PORT SECONDS` | a sandbox is created when something listens there; later than that is a failure |
/// | `memory AMOUNT`, `cpus NUMBER` | a sandbox's limit unless its creator says otherwise |
/// | `setup` | the last: all that follows is the script |
///
/// @param suite of Debian, such as `bookworm`
/// @param time given to every file and to the filesystem, so that two builds of the same packages are the same bytes
/// @param packages beside the essential ones and apt, without what they merely recommend
/// @param files put in before the script runs
/// @param setup text for `/bin/sh -eu`
/// @param digest SHA-256 over all of this, and over all that builds it: another digest means another image
public record Recipe(
        TemplateName name, String suite, Instant time, List<String> packages, List<AddedFile> files, String setup, Optional<StartCommand> start, Limits limits, String digest) {
    /// Counts up whenever the builder itself makes another image from the same recipe.
    private static final String BUILDER = "caisson image builder 2\n";

    private static final Pattern SUITE = Pattern.compile("[a-z][a-z0-9-]{1,31}");
    private static final Pattern PACKAGE = Pattern.compile("[a-z0-9][a-z0-9.+-]{1,127}");
    private static final Pattern PATH = Pattern.compile("(/[A-Za-z0-9_][A-Za-z0-9._-]*)+");
    private static final Pattern AMOUNT = Pattern.compile("[0-9.]{1,12}[A-Za-z]{0,3}");
    private static final Pattern MODE = Pattern.compile("0[0-7]{3}");
    private static final String WORDS = "from NAME, suite NAME, time INSTANT, package NAME…, file PATH MODE, start USER COMMAND, ready PORT SECONDS, memory AMOUNT, cpus NUMBER, setup";
    private static final Pattern START = Pattern.compile("start\\s+([a-z][a-z0-9-]*)\\s+(\\S.*)");

    public Recipe {
        packages = List.copyOf(packages);
        files = List.copyOf(files);
    }

    /// Reads one that comes with the program, from the resources of this room.
    static Recipe builtIn(TemplateName name) {
        return parse(name, resource(name + ".recipe"));
    }

    /// Errors: [Failure.Code#BAD_REQUEST] naming the line that is wrong.
    static Recipe parse(TemplateName name, String text) {
        var draft = new Draft(name);
        int at = 0;
        while (at < text.length()) {
            int end = text.indexOf('\n', at) < 0 ? text.length() : text.indexOf('\n', at);
            var line = text.substring(at, end).strip();
            at = Math.min(end + 1, text.length());
            draft.number++;
            if (line.equals("setup")) {
                draft.setup.append(text.substring(at));
                break;
            }
            if (!line.isEmpty() && !line.startsWith("#")) {
                draft.line(line, line.split("\\s+"));
            }
        }
        return draft.recipe(text);
    }

    /// A recipe as far as its lines have been read.
    private static final class Draft {
        private final TemplateName name;
        private final List<String> packages = new ArrayList<>();
        private final List<AddedFile> files = new ArrayList<>();
        private final StringBuilder setup = new StringBuilder();
        private int number;
        private String from = "";
        private String suite = "";
        private Instant time = Instant.EPOCH;
        private Limits limits = Limits.DEFAULT;
        private String user = "";
        private String command = "";
        private int port;
        private Duration patience = Duration.ZERO;

        Draft(TemplateName name) {
            this.name = name;
        }

        void line(String line, String[] words) {
            switch (words[0]) {
                case "from" -> from(builtIn(new TemplateName(word(words, PACKAGE))));
                case "suite" -> suite = word(words, SUITE);
                case "time" -> time = time(words);
                case "package" -> {
                    for (var one : List.of(words).subList(1, words.length)) {
                        packages.add(word(new String[] {"package", one}, PACKAGE));
                    }
                }
                case "file" -> files.add(file(words));
                case "start" -> start(line);
                case "ready" -> ready(words);
                case "memory" -> limits = new Limits(limits.cpus(), ByteSize.parse(word(words, AMOUNT)), limits.processes(), limits.disk(), limits.openFiles());
                case "cpus" -> limits = new Limits(Cpus.parse(word(words, AMOUNT)), limits.memory(), limits.processes(), limits.disk(), limits.openFiles());
                default -> throw wrong("starts with an unknown word '" + Failure.shown(words[0]) + "'");
            }
        }

        private void from(Recipe other) {
            from = other.digest();
            suite = other.suite();
            time = other.time();
            packages.addAll(other.packages());
            files.addAll(other.files());
            setup.append(other.setup()).append('\n');
        }

        private AddedFile file(String[] words) {
            if (words.length != 3 || !PATH.matcher(words[1]).matches() || !MODE.matcher(words[2]).matches()) {
                throw wrong("has a bad file");
            }
            return new AddedFile(words[1], words[2], resource(name + words[1].substring(words[1].lastIndexOf('/'))));
        }

        private void start(String line) {
            var match = START.matcher(line);
            if (!match.matches()) {
                throw wrong("has a bad start");
            }
            user = match.group(1);
            command = match.group(2);
        }

        private void ready(String[] words) {
            try {
                port = Integer.parseInt(words[1]);
                patience = Duration.ofSeconds(Integer.parseInt(words[2]));
            } catch (NumberFormatException | ArrayIndexOutOfBoundsException _) {
                throw wrong("has a bad ready");
            }
            if (port < 1 || port > 65_535 || patience.isZero() || patience.isNegative()) {
                throw wrong("has a bad ready");
            }
        }

        private String word(String[] words, Pattern shape) {
            if (words.length != 2 || !shape.matcher(words[1]).matches()) {
                throw wrong("has a bad " + words[0]);
            }
            return words[1];
        }

        private Instant time(String[] words) {
            try {
                return Instant.parse(words.length == 2 ? words[1] : "");
            } catch (DateTimeParseException _) {
                throw wrong("has a bad time");
            }
        }

        private RuntimeException wrong(String what) {
            return Failure.Code.BAD_REQUEST.with("recipe " + name + ": line " + number + " " + what, "write lines of: " + WORDS);
        }

        Recipe recipe(String text) {
            if (suite.isEmpty() || time.equals(Instant.EPOCH)) {
                throw wrong("is the last, and no line says the suite or no line says the time");
            }
            if (command.isEmpty() != (port == 0)) {
                throw wrong("is the last, and of 'start' and 'ready' there is only one");
            }
            var digested = new ArrayList<>(List.of(BUILDER, resource("finish.sh"), from, text));
            files.forEach(file -> digested.add(file.content()));
            var start = command.isEmpty() ? Optional.<StartCommand>empty() : Optional.of(new StartCommand(user, command, port, patience));
            return new Recipe(name, suite, time, packages, files, setup.toString(), start, limits, Digest.of(digested.toArray(String[]::new)));
        }
    }

    static String resource(String name) {
        try (var in = Recipe.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException("resource missing: " + name);
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new IllegalStateException("resource unreadable: " + name, e);
        }
    }
}
