package dev.caisson.sandbox;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// One command to run in a sandbox.
///
/// @param argv program and arguments; the program is looked up in the guest's PATH; at most 2 MiB in all, 128 KiB each, no NUL
/// @param env on top of the sandbox's own
/// @param cwd directory to start in, absolute; empty means the user's home
/// @param user name in the guest's passwd; empty means the template's default user
/// @param terminal when present the command gets a pseudo-terminal of that size, and stdout carries both outputs
/// @param timeout when it is over: SIGTERM to the command's process group, SIGKILL 2 seconds later
/// @param outputLimit stdout and stderr together; when more comes the command is ended the same way
/// @param stdin false closes the command's standard input at once
/// @param tag a name of the caller's for finding it again among the sandbox's commands; may be empty, at most 256 characters
/// @param unread what becomes of output while nobody is attached
/// @param batched its start may be told up to 20 ms late, together with its first output or its end: cheaper for whoever waits for the end anyway
public record CommandSpec(
        List<String> argv,
        Map<String, String> env,
        String cwd,
        String user,
        Optional<TerminalSize> terminal,
        Duration timeout,
        ByteSize outputLimit,
        boolean stdin,
        String tag,
        Unread unread,
        boolean batched) {
    public static final Duration DEFAULT_TIMEOUT = Duration.ofMinutes(5);
    public static final ByteSize DEFAULT_OUTPUT_LIMIT = ByteSize.gib(1);
    public static final Duration MAX_TIMEOUT = SandboxSpec.MAX_LEASE;
    public static final int MAX_ARGUMENT_CHARS = 128 * 1024 - 1;
    public static final int MAX_ARGV_CHARS = 896 * 1024;
    public static final int MAX_TAG_CHARS = 256;

    /// What becomes of output while nobody is attached.
    public enum Unread {
        /// It waits, and with it the command, once a pipe is full.
        HOLD,
        /// The last 4 MiB a channel are kept, the oldest goes first, and the command never waits; an output limit counts when somebody is attached again.
        DROP
    }

    public CommandSpec {
        if (argv.isEmpty() || argv.getFirst().isEmpty()) {
            throw Failure.Code.BAD_REQUEST.with("no command given", "name a program, such as [\"echo\", \"hi\"]");
        }
        long chars = 0;
        for (String argument : argv) {
            if (argument.indexOf('\0') >= 0) {
                throw Failure.Code.BAD_REQUEST.with("an argument contains a NUL character", "pass such bytes through stdin or a file");
            }
            if (argument.length() > MAX_ARGUMENT_CHARS) {
                throw Failure.Code.OUT_OF_RANGE.with("an argument is longer than 128 KiB, the most Linux takes", "pass it through stdin or a file");
            }
            chars += argument.length() + 1;
        }
        if (chars > MAX_ARGV_CHARS) {
            throw Failure.Code.OUT_OF_RANGE.with("the arguments are longer than " + MAX_ARGV_CHARS / 1024 + " KiB together", "pass them through stdin or a file");
        }
        if (!cwd.isEmpty() && !cwd.startsWith("/") || cwd.indexOf('\0') >= 0) {
            throw Failure.Code.BAD_REQUEST.with("the working directory must be absolute, got '" + Failure.shown(cwd) + "'", "start it with /");
        }
        if (user.length() > 64 || user.indexOf('\0') >= 0) {
            throw Failure.Code.BAD_REQUEST.with("not a user name: '" + Failure.shown(user) + "'", "name a user of the template, such as user or root");
        }
        if (timeout.isNegative() || timeout.isZero() || timeout.compareTo(MAX_TIMEOUT) > 0) {
            throw Failure.Code.OUT_OF_RANGE.with("the timeout must be above 0 and at most 24 hours, got " + timeout.toMillis() + " ms", "ask for a time in that range");
        }
        if (tag.length() > MAX_TAG_CHARS) {
            throw Failure.Code.OUT_OF_RANGE.with("the tag is longer than " + MAX_TAG_CHARS + " characters", "choose a shorter one");
        }
        argv = List.copyOf(argv);
        env = Environment.checked(env);
    }

    /// A command without a tag, whose output waits to be read.
    public CommandSpec(
            List<String> argv, Map<String, String> env, String cwd, String user, Optional<TerminalSize> terminal, Duration timeout, ByteSize outputLimit, boolean stdin) {
        this(argv, env, cwd, user, terminal, timeout, outputLimit, stdin, "", Unread.HOLD, false);
    }

    /// The same command, its start told together with what follows.
    public CommandSpec withBatched() {
        return new CommandSpec(argv, env, cwd, user, terminal, timeout, outputLimit, stdin, tag, unread, true);
    }

    /// A command with the defaults: template's user and home, pipes, 5 minutes, stdin closed.
    public static CommandSpec of(String... argv) {
        return new CommandSpec(List.of(argv), Map.of(), "", "", Optional.empty(), DEFAULT_TIMEOUT, DEFAULT_OUTPUT_LIMIT, false);
    }
}
