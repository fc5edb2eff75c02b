package dev.caisson.app;

import dev.caisson.host.Home;
import dev.caisson.remote.RemoteSandboxes;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What the engine takes without any door, for `caisson bench`: `--home DIR`. For each line of its input it does a round and prints its milliseconds: `create-run`
/// makes a sandbox and runs `echo hi` as E2B's clients have it run; any other line is a program that is run in one sandbox, the same for all.
public final class EngineMeasure {
    private EngineMeasure() {}

    public static void main(String[] arguments) {
        if (arguments.length != 2 || !arguments[0].equals("--home")) {
            System.err.println("usage: EngineMeasure --home DIR");
            System.exit(125);
        }
        try (var node = RemoteSandboxes.connect(new Home(Path.of(arguments[1])).nodeSocket()); var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            Optional<SandboxId> kept = Optional.empty();
            try {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    if (line.equals("create-run")) {
                        System.out.println(createRun(node));
                    } else {
                        if (kept.isEmpty()) {
                            kept = Optional.of(node.create(SandboxSpec.defaults()).id());
                        }
                        long start = System.nanoTime();
                        run(node, kept.get(), List.of(line));
                        System.out.println((System.nanoTime() - start) / 1e6);
                    }
                }
            } finally {
                kept.ifPresent(node::delete);
            }
        } catch (IOException | InterruptedException | SandboxException e) {
            System.err.println("error: " + e.getMessage());
            System.exit(125);
        }
    }

    private static double createRun(RemoteSandboxes node) throws InterruptedException {
        long start = System.nanoTime();
        SandboxId id = node.create(SandboxSpec.defaults()).id();
        try {
            run(node, id, List.of("/bin/bash", "-l", "-c", "echo hi"));
            return (System.nanoTime() - start) / 1e6;
        } finally {
            node.delete(id);
        }
    }

    private static void run(RemoteSandboxes node, SandboxId id, List<String> argv) throws InterruptedException {
        var spec = new CommandSpec(argv, Map.of(), "", "", Optional.empty(), Duration.ofMinutes(1), CommandSpec.DEFAULT_OUTPUT_LIMIT, false);
        try (var stream = node.run(id, spec)) {
            while (!(stream.next() instanceof CommandEvent.Ended)) {
                // Its output is not looked at.
            }
        }
    }
}
