package dev.caisson.wayout;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Shell;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// A sandbox in which attempts to get out are made, as its root (see `probes.py`).
record Probes(Shell shell) {
    static final String RESOLVER = "100.127.255.53";
    static final String RESOLVER6 = "fdca:1550:ffff::53";
    private static final String PROGRAM = "/tmp/probes.py";
    private static final Duration PATIENCE = Duration.ofMinutes(3);

    /// One probe: its kind and what it takes.
    record Probe(String kind, List<Object> arguments) {
        /// Texts and numbers, in JSON.
        String written() {
            var text = new StringBuilder("[");
            append(text, kind);
            for (Object argument : arguments) {
                append(text.append(", "), argument);
            }
            return text.append(']').toString();
        }

        private static void append(StringBuilder text, Object value) {
            switch (value) {
                case String string -> {
                    text.append('"');
                    for (char c : string.toCharArray()) {
                        text.append(c < ' ' || c > '~' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : String.valueOf(c));
                    }
                    text.append('"');
                }
                case Options(String json) -> text.append(json);
                default -> text.append(value);
            }
        }
    }

    /// What a probe takes by name, in JSON.
    record Options(String json) {}

    static Probe probe(String kind, Object... arguments) {
        return new Probe(kind, List.of(arguments));
    }

    static Options options(String json) {
        return new Options(json.replace('\'', '"'));
    }

    /// A new sandbox that may reach what these rules say.
    static Probes in(Installation caisson, Tier tier, Egress egress) throws IOException {
        return of(caisson.shell(Shell.spec(tier).withEgress(egress)));
    }

    static Probes of(Shell shell) throws IOException {
        try (InputStream program = Objects.requireNonNull(Probes.class.getResourceAsStream("probes.py"))) {
            shell.sandboxes().files(shell.id()).write(PROGRAM, "root", 0644, program);
        }
        return new Probes(shell);
    }

    SandboxId id() {
        return shell.id();
    }

    /// The outcomes, in the same order.
    List<Outcome> make(List<Probe> probes) throws InterruptedException {
        var outcomes = new ArrayList<Outcome>();
        // A command line has its bounds.
        for (int from = 0; from < probes.size(); from += 100) {
            var part = probes.subList(from, Math.min(probes.size(), from + 100));
            var command = new ArrayList<>(List.of("python3", PROGRAM));
            part.forEach(probe -> command.add(probe.written()));
            var ran = shell.run(PATIENCE, "root", command.toArray(String[]::new));
            var lines = ran.out().lines().map(Outcome::parse).toList();
            if (lines.size() != part.size()) {
                throw new AssertionError("the probes ended early: " + ran);
            }
            outcomes.addAll(lines);
        }
        return outcomes;
    }

    Outcome make(Probe probe) throws InterruptedException {
        return make(List.of(probe)).getFirst();
    }

    Outcome make(String kind, Object... arguments) throws InterruptedException {
        return make(probe(kind, arguments));
    }

    /// A request in the plainest form.
    static String get(String host, String path) {
        return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
    }

    /// Writes a program of the host's into the sandbox.
    void put(String path, Path program) throws IOException {
        try (InputStream content = Files.newInputStream(program)) {
            shell.sandboxes().files(shell.id()).write(path, "root", 0755, content);
        }
    }

    /// Runs a script of bash as root; answers what it said on both channels.
    String bash(String script) throws InterruptedException {
        return shell.run(PATIENCE, "root", "bash", "-c", "exec 2>&1\n" + script).out();
    }
}
