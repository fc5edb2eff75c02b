package dev.caisson.api.mcp;

import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.Tenants;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Sandboxes;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// Running commands and code.
final class CommandTools {
    private static final int SIGTERM = 15;
    private static final int SIGKILL = 9;
    /// As a timeout gives it. Unit: milliseconds.
    private static final long GRACE_MILLIS = 2_000;
    private static final Duration DEFAULT_TIMEOUT = Duration.ofMinutes(1);
    private static final int DEFAULT_OUTPUT = 32 * 1024;
    /// Twice this, as text and as facts, fits into the largest event that clients take (1 MiB), even when every byte of it becomes three.
    private static final int MAX_OUTPUT = 64 * 1024;
    private static final int MAX_WORDS = 1_024;
    private static final int MAX_VARIABLES = 256;
    private static final String RESULT = "Answers when it has ended: its exit status, and standard output and standard error, each at most max_output_bytes "
            + "(the beginning and the end of what is longer, with a line between that says how much was left out; send large output to a file and read the parts you need). "
            + "A status other than 0, a timeout or too much memory are results, not errors. Standard input is empty. What runs in the background goes on after the command's end "
            + "when it is started with `nohup … > log 2>&1 &`.";
    private static final Schema OUTCOME = Schema.object()
            .required("exit_status", Schema.whole().says("128 + signal when a signal ended it."))
            .required("outcome", Schema.words(List.of("exited", "signaled", "timed-out", "out-of-memory", "output-limit", "killed", "sandbox-gone")))
            .required("timed_out", Schema.truth())
            .required("killed_for_memory", Schema.truth())
            .required("stdout", Schema.text())
            .required("stderr", Schema.text())
            .required("stdout_bytes", Schema.whole().says("How much it wrote, kept or not."))
            .required("stderr_bytes", Schema.whole())
            .required("truncated", Schema.truth().says("Something of an output was left out."))
            .required("wall_seconds", Schema.number())
            .required("cpu_seconds", Schema.number());

    private final Tenants tenants;

    CommandTools(Tenants tenants) {
        this.tenants = tenants;
    }

    List<Tool> all() {
        return List.of(command(), code());
    }

    /// What both tools take.
    private record Frame(SandboxId id, Map<String, String> env, String cwd, String user, Duration timeout, int output) {
        static Frame read(JsonObject in) {
            Map<String, String> env = in.map("env");
            if (env.size() > MAX_VARIABLES) {
                throw Failure.Code.OUT_OF_RANGE.with("'env' has more than " + MAX_VARIABLES + " variables", "pass them in a file");
            }
            return new Frame(
                    Tools.sandboxId(in), env, Tools.bounded("cwd", in.text("cwd", ""), 4_096), in.text("user", ""),
                    in.wholeOr("timeout_seconds", 1, CommandSpec.MAX_TIMEOUT.toSeconds()).map(Duration::ofSeconds).orElse(DEFAULT_TIMEOUT),
                    in.wholeOr("max_output_bytes", 1, MAX_OUTPUT).map(Long::intValue).orElse(DEFAULT_OUTPUT));
        }

        CommandSpec command(List<String> argv) {
            return new CommandSpec(argv, env, cwd, user, Optional.empty(), timeout, CommandSpec.DEFAULT_OUTPUT_LIMIT, false);
        }

        static Schema schema(Schema head) {
            return head
                    .optional("cwd", Schema.text(4_096).with("pattern", "^(/|$)").says("Directory to start in, absolute. Default: the user's home."))
                    .optional("env", Schema.textMap(MAX_VARIABLES).says("More environment variables."))
                    .optional("user", Schema.text(64).says("Such as root, which has power inside the sandbox only. Default: an ordinary user."))
                    .optional("timeout_seconds", Schema.whole(1, CommandSpec.MAX_TIMEOUT.toSeconds()).byDefault(DEFAULT_TIMEOUT.toSeconds()).says("It gets SIGTERM then, and SIGKILL 2 seconds later."))
                    .optional("max_output_bytes", Schema.whole(1, MAX_OUTPUT).byDefault(DEFAULT_OUTPUT));
        }
    }

    private Tool command() {
        var line = Schema.text(CommandSpec.MAX_ARGUMENT_CHARS).with("minLength", 1);
        var words = Schema.list(Schema.text(CommandSpec.MAX_ARGUMENT_CHARS)).with("minItems", 1).with("maxItems", MAX_WORDS);
        return new Tool("run_command", "Run a command",
                "Runs a command in a sandbox and waits for its end. " + RESULT,
                Frame.schema(Schema.object()
                        .required("sandbox_id", Tools.sandboxId())
                        .required("command", Schema.anyOf(line, words).says("A line for bash, or a list: the program and its arguments, which no shell touches."))),
                OUTCOME, Tool.Effect.CHANGES, in -> {
                    Frame frame = Frame.read(in);
                    CommandSpec spec = frame.command(in.isText("command") ? shell(in.text("command")) : in.texts("command").orElseThrow(CommandTools::noCommand));
                    if (spec.argv().size() > MAX_WORDS) {
                        throw Failure.Code.OUT_OF_RANGE.with("'command' has more than " + MAX_WORDS + " words", "pass them in a file");
                    }
                    return call -> run(call, frame, spec);
                });
    }

    private static List<String> shell(String line) {
        if (line.isEmpty()) {
            throw noCommand();
        }
        return List.of("bash", "-c", line);
    }

    private static SandboxException noCommand() {
        return Failure.Code.BAD_REQUEST.with("'command' is missing", "give a line for bash, or a list of the program and its arguments");
    }

    /// @param program what takes the code as its last argument
    private enum Language {
        PYTHON("python3", "-c"),
        JAVASCRIPT("node", "-e"),
        BASH("bash", "-c");

        private final List<String> program;

        Language(String... program) {
            this.program = List.of(program);
        }
    }

    private Tool code() {
        return new Tool("run_code", "Run code",
                "Runs a piece of Python, JavaScript (Node.js) or bash in a sandbox and waits for its end. Nothing is printed by itself: print what you want to see. "
                        + "Each call is a new process; variables do not last, files do. Code above 128 KiB: write_file it and run_command it. " + RESULT,
                Frame.schema(Schema.object()
                        .required("sandbox_id", Tools.sandboxId())
                        .required("language", Schema.words(List.of("python", "javascript", "bash")))
                        .required("code", Schema.text(CommandSpec.MAX_ARGUMENT_CHARS).with("minLength", 1))),
                OUTCOME, Tool.Effect.CHANGES, in -> {
                    Frame frame = Frame.read(in);
                    Language language = in.word("language", Language.class);
                    String code = in.text("code");
                    if (code.isEmpty() || code.getBytes(StandardCharsets.UTF_8).length > CommandSpec.MAX_ARGUMENT_CHARS) {
                        throw Failure.Code.OUT_OF_RANGE.with("'code' must be 1 to " + CommandSpec.MAX_ARGUMENT_CHARS + " bytes of UTF-8", "write it to a file and run that");
                    }
                    CommandSpec spec = frame.command(Stream.concat(language.program.stream(), Stream.of(code)).toList());
                    return call -> run(call, frame, spec);
                });
    }

    private Tool.Result run(ToolCall call, Frame frame, CommandSpec spec) throws InterruptedException {
        SandboxId id = frame.id();
        Sandboxes sandboxes = tenants.of(call.caller());
        var out = new Excerpt(frame.output());
        var err = new Excerpt(frame.output());
        try (CommandStream stream = sandboxes.run(id, spec); var ticker = new ProgressTicker(call.progress(), frame.timeout())) {
            while (true) {
                switch (stream.next()) {
                    case CommandEvent.Started(CommandId command, _) -> call.running().onCancel(() -> end(call.running(), sandboxes, id, command));
                    case CommandEvent.Output output -> {
                        ticker.count(output.data().remaining());
                        (output.channel() == CommandEvent.Channel.STDOUT ? out : err).add(output.data());
                    }
                    case CommandEvent.Ended(CommandResult result) -> {
                        return result(result, out, err);
                    }
                }
            }
        }
    }

    /// Ends a command that nobody waits for any more, the way a timeout does.
    private static void end(RunningCall call, Sandboxes sandboxes, SandboxId id, CommandId command) {
        Thread.ofVirtual().name("mcp-cancel").start(() -> {
            try {
                sandboxes.signal(id, command, SIGTERM);
                if (!call.awaitFinished(GRACE_MILLIS)) {
                    sandboxes.signal(id, command, SIGKILL);
                }
            } catch (SandboxException _) {
                // It has ended by itself, or its sandbox has.
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        });
    }

    private static Tool.Result result(CommandResult result, Excerpt out, Excerpt err) {
        var facts = new LinkedHashMap<String, Object>();
        facts.put("exit_status", result.status());
        facts.put("outcome", Json.label(result.outcome()));
        facts.put("timed_out", result.outcome() == CommandResult.Outcome.TIMED_OUT);
        facts.put("killed_for_memory", result.outcome() == CommandResult.Outcome.OUT_OF_MEMORY);
        facts.put("stdout", out.text());
        facts.put("stderr", err.text());
        facts.put("stdout_bytes", out.total());
        facts.put("stderr_bytes", err.total());
        facts.put("truncated", out.isTruncated() || err.isTruncated());
        facts.put("wall_seconds", result.wall().toMillis() / 1000.0);
        facts.put("cpu_seconds", result.cpu().toMillis() / 1000.0);
        var text = new StringBuilder("exit status ").append(result.status()).append(why(result.outcome())).append(", ").append(result.wall().toMillis() / 1000.0).append(" s");
        show(text, "stdout", out);
        show(text, "stderr", err);
        return new Tool.Result(text.toString(), facts);
    }

    private static String why(CommandResult.Outcome outcome) {
        return switch (outcome) {
            case EXITED -> "";
            case SIGNALED -> " (a signal ended it)";
            case TIMED_OUT -> " (its time was over; ask for more with timeout_seconds)";
            case OUT_OF_MEMORY -> " (killed: it used more memory than the sandbox has; create one with more)";
            case OUTPUT_LIMIT -> " (ended: it wrote more than 1 GiB)";
            case KILLED -> " (it was killed)";
            case SANDBOX_GONE -> " (its sandbox has ended; get_receipt says why)";
        };
    }

    private static void show(StringBuilder text, String name, Excerpt excerpt) {
        if (excerpt.total() > 0) {
            text.append("\n--- ").append(name).append(", ").append(excerpt.total()).append(" bytes").append(excerpt.isTruncated() ? ", not all of it" : "").append('\n').append(excerpt.text());
        }
    }
}
