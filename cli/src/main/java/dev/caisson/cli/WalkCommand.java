package dev.caisson.cli;

import dev.caisson.client.CommandOptions;
import dev.caisson.client.Receipt;
import dev.caisson.client.SandboxOptions;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `caisson walk`: follows one untrusted snippet through the house, with the times it really took.
@Command(name = "walk", description = "Runs one real snippet and tells every step it takes through the house, with its time. The same steps, with the files that do them, are in docs/architecture.md.")
final class WalkCommand implements Callable<Integer> {
    /// Tells who it is, then tries to leave: to an address for documentation (RFC 5737), which nobody has.
    private static final String SNIPPET = """
            import os, socket, time
            print("hello from", os.uname().sysname, os.uname().release, "as uid", os.getuid(), flush=True)
            began = time.monotonic()
            try:
                socket.create_connection(("192.0.2.1", 80), timeout=5)
                print("got out")
            except OSError as e:
                print("no way out: %s, after %.1f ms" % (e.strerror or e, (time.monotonic() - began) * 1000))
            """;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    private int step;

    @Override
    public Integer call() throws IOException {
        long start = System.nanoTime();
        try (var session = Session.openOrStart()) {
            tell("door", since(start), session.isOwn() ? "nothing was running: front, node and deadman were started for this walk" : "front, node and deadman are running");
            return walk(session);
        }
    }

    private int walk(Session session) throws IOException {
        long asked = System.nanoTime();
        var sandbox = session.caisson().create(SandboxOptions.defaults().withLease(Duration.ofMinutes(2)));
        var create = since(asked);
        var info = sandbox.info();
        var spec = info.json().object("spec");
        Receipt receipt;
        long deleting;
        try (sandbox) {
            tell("api", create.minus(info.createTime()), "the request became a spec, every default explicit: " + spec.write());
            tell("policy", Duration.ZERO, info.trust().label() + " code may run in " + info.tier().label() + " or stronger; it gets " + Wall.of(info));
            tell("node", info.createTime(), "a keeper wrote its journal, then took what is needed and waited for the agent inside");
            tell("image", Duration.ZERO, "root image " + info.json().text("image_digest") + ", read-only, shared by all sandboxes");
            long began = System.nanoTime();
            long[] first = {0};
            var output = new Captured();
            try (var command = sandbox.start(CommandOptions.of("python3", "-c", SNIPPET).withTimeout(Duration.ofSeconds(30)))) {
                var end = command.await(bytes -> {
                    first[0] = first[0] == 0 ? System.nanoTime() : first[0];
                    output.write(bytes);
                }, output);
                tell("guest", Duration.ofNanos((first[0] == 0 ? System.nanoTime() : first[0]) - began), "the agent started python3, and its first output arrived");
                for (String line : output.text().lines().toList()) {
                    Console.out().println("             | " + line);
                }
                tell("egress", Duration.ZERO, output.text().contains("no way out") ? "there is no route out of the sandbox" : "IT GOT OUT: report this");
                tell("end", end.wall(), "the command ended with " + end.status() + " after that time, " + Amounts.shown(end.cpu()) + " of CPU");
            }
            deleting = System.nanoTime();
            receipt = sandbox.delete();
        }
        tell("teardown", since(deleting), receipt.resources().size() + " resources were released in reverse order and checked: " + (receipt.leaks() == 0 ? "all gone" : receipt.leaks() + " STILL THERE"));
        tell("receipt", Duration.ZERO, receipt.id() + ": " + receipt.resources().stream().map(Receipt.Check::kind).distinct().collect(Collectors.joining(", ")));
        return receipt.leaks() == 0 ? 0 : 1;
    }

    private static Duration since(long start) {
        return Duration.ofNanos(System.nanoTime() - start);
    }

    private void tell(String who, Duration time, String what) {
        String shown = time.isZero() ? "" : Amounts.shown(time);
        Console.out().println(Integer.toString(++step).indent(step < 10 ? 1 : 0).stripTrailing() + " " + Console.paint(1, "1", padded(who, 9)) + padded(shown, 9) + what);
    }

    private static String padded(String text, int width) {
        return text + " ".repeat(Math.max(1, width - text.length()));
    }
}
