package dev.caisson.client;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// One command to run. What is not said is the default: the template's user and its home, 5 minutes, 1 GiB of output, no input.
///
/// Threads: immutable; each `with…` answers a changed copy.
public final class CommandOptions {
    private final Map<String, Json> members;

    private CommandOptions(Map<String, Json> members) {
        this.members = members;
    }

    /// @param argv program and arguments; the program is looked up in the sandbox's PATH
    public static CommandOptions of(String... argv) {
        return of(List.of(argv));
    }

    public static CommandOptions of(List<String> argv) {
        return new CommandOptions(Map.of("argv", Json.of(argv)));
    }

    public CommandOptions withEnv(Map<String, String> env) {
        return with("env", Json.of(env));
    }

    /// An absolute path.
    public CommandOptions withCwd(String directory) {
        return with("cwd", Json.of(directory));
    }

    public CommandOptions withUser(String name) {
        return with("user", Json.of(name));
    }

    /// When it is over: SIGTERM, and SIGKILL 2 seconds later.
    public CommandOptions withTimeout(Duration timeout) {
        return with("timeout_ms", Json.of(Words.millis(timeout)));
    }

    /// Bytes of both outputs together; when more comes the command is ended.
    public CommandOptions withOutputLimit(long bytes) {
        return with("output_limit_bytes", Json.of(bytes));
    }

    /// Keeps the command's input open for [RunningCommand#sendInput].
    public CommandOptions withInput() {
        return with("stdin", Json.of(true));
    }

    /// Gives the command a terminal of that size: its standard output carries both outputs, and its input is what is typed.
    ///
    /// @param columns 1 to 4,096
    /// @param rows 1 to 4,096
    public CommandOptions withTerminal(int columns, int rows) {
        return with("terminal", size(columns, rows));
    }

    static Json.Obj size(int columns, int rows) {
        return Json.object().put("columns", columns).put("rows", rows).done();
    }

    /// A name of the caller's own, told again by [Sandbox#commands]; at most 256 characters.
    public CommandOptions withTag(String tag) {
        return with("tag", Json.of(tag));
    }

    /// While nobody takes its output, the oldest of it goes, beyond 4 MiB of each; otherwise the command waits.
    public CommandOptions withUnreadDropped() {
        return with("unread", Json.of("drop"));
    }

    /// Its start may be told up to 20 ms late, together with its first output or its end: cheaper where only those are waited for.
    public CommandOptions withBatched() {
        return with("batched", Json.of(true));
    }

    private CommandOptions with(String name, Json value) {
        var copy = new TreeMap<>(members);
        copy.put(name, value);
        return new CommandOptions(copy);
    }

    Json.Obj json() {
        return new Json.Obj(members);
    }

    @Override
    public String toString() {
        return json().write();
    }
}
