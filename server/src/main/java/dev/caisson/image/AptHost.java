package dev.caisson.image;

import dev.caisson.host.Child;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// How this host's own apt gets Debian packages: from which mirrors, through which proxy. A machine behind a company's mirror then builds through it.
///
/// @param options lines of apt.conf(5)
/// @param sources lines of sources.list(5); empty when the host has none of that suite, which means Debian's own
record AptHost(List<String> options, List<String> sources) {
    private static final Duration TIME_LIMIT = Duration.ofSeconds(30);
    private static final List<String> COPIED = List.of("Acquire::http", "Acquire::ftp", "Acquire::socks", "Acquire::Check-", "Acquire::Force");

    AptHost {
        options = List.copyOf(options);
        sources = List.copyOf(sources);
    }

    static AptHost read(Path scratch, String suite) throws IOException, InterruptedException {
        var config = lines(scratch.resolve("apt-config.txt"), "apt-config", "dump", "--no-empty");
        var targets = lines(
                scratch.resolve("apt-targets.txt"), "apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(RELEASE) $(SITE)", "Created-By: Packages");
        return new AptHost(options(config), sources(targets, suite));
    }

    /// Of `apt-config dump`. A network that falters is the rule on first use, so three tries each.
    static List<String> options(List<String> config) {
        var options = new ArrayList<>(List.of("Acquire::Retries \"3\";"));
        config.stream().filter(line -> COPIED.stream().anyMatch(line::startsWith)).forEach(options::add);
        return options;
    }

    /// Of lines `ORIGIN COMPONENT RELEASE SITE`: Debian's main component of the suite, its updates and its security updates; nothing if not all.
    static List<String> sources(List<String> targets, String suite) {
        var sources = new ArrayList<String>();
        for (var release : List.of(suite, suite + "-updates", suite + "-security")) {
            for (var target : targets) {
                var words = target.split(" ");
                var line = words.length == 4 ? "deb " + words[3] + " " + words[2] + " main" : "";
                if (words.length == 4 && words[0].equals("Debian") && words[1].equals("main") && words[2].equals(release) && !sources.contains(line)) {
                    sources.add(line);
                }
            }
        }
        return sources.size() >= 3 ? sources : List.of();
    }

    private static List<String> lines(Path output, String... argv) throws IOException, InterruptedException {
        Files.deleteIfExists(output);
        Child.of(output, argv).mustRun(TIME_LIMIT);
        return Files.readAllLines(output);
    }
}
