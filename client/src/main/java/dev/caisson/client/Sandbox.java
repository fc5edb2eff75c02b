package dev.caisson.client;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// One sandbox.
///
/// Threads: safe for many.
/// Cleanup: close deletes it and waits for its receipt; safe to call twice. Whoever forgets loses it when its lease is over.
public final class Sandbox implements AutoCloseable {
    /// Bytes of each output that [#run] keeps; the rest is read and dropped.
    public static final int KEPT_OUTPUT = 64 * 1024 * 1024;

    private final Http http;
    private final String base;
    private final SandboxInfo info;
    private final ReentrantLock ending = new ReentrantLock();
    private @Nullable Receipt receipt;

    Sandbox(Http http, SandboxInfo info) {
        this.http = http;
        this.info = info;
        base = "/v1/sandboxes/" + Http.escape(info.id());
    }

    public String id() {
        return info.id();
    }

    /// As it was when this object was made.
    public SandboxInfo info() {
        return info;
    }

    /// As it is now.
    public SandboxInfo refresh() {
        return SandboxInfo.of(http.get(base));
    }

    /// Runs a command to its end and keeps its output.
    public CommandResult run(String... argv) {
        return run(CommandOptions.of(argv));
    }

    public CommandResult run(CommandOptions options) {
        var stdout = new Kept();
        var stderr = new Kept();
        // Nobody waits for its start but for its end.
        try (var command = start(options.withBatched())) {
            var end = command.await(stdout, stderr);
            return new CommandResult(end, stdout.toByteArray(), stderr.toByteArray(), stdout.truncated || stderr.truncated);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static final class Kept extends ByteArrayOutputStream implements Output {
        private boolean truncated;

        @Override
        public void write(ByteBuffer bytes) {
            int count = Math.min(bytes.remaining(), KEPT_OUTPUT - size());
            truncated |= count < bytes.remaining();
            write(bytes.array(), bytes.arrayOffset() + bytes.position(), count);
        }
    }

    /// Starts a command whose output is taken as it comes.
    public RunningCommand start(CommandOptions options) {
        return RunningCommand.start(http, base, options);
    }

    /// Takes up the stream of a command, each output from the byte given: -1 stands for what comes from now on, -2 for the oldest byte kept. The last
    /// 4 MiB of each are kept. Several may do so at a time; all get the same.
    public RunningCommand attach(String commandId, long stdoutOffset, long stderrOffset) {
        return RunningCommand.attach(http, base, commandId, stdoutOffset, stderrOffset);
    }

    public List<CommandInfo> commands() {
        return Answers.list(http.get(base + "/commands"), "commands", CommandInfo::of);
    }

    public SandboxFiles files() {
        return new SandboxFiles(http, base, "");
    }

    /// Where a port of it is found, and the token that opens it. `unsupported` where the installation has no domain for previews.
    public PortInfo port(int port) {
        return PortInfo.of(http.get(base + "/ports/" + port));
    }

    /// A link to one port that anybody may use for so long. Range: 1 second to 24 hours.
    public PortLink link(int port, Duration time) {
        return PortLink.of(http.ask("POST", base + "/ports/" + port + "/links", Body.json(Json.object().put("expires_seconds", Words.seconds(time)).done())));
    }

    /// What it has used so far.
    public Usage usage() {
        return Usage.of(http.get(base + "/usage"));
    }

    /// Moves the end of its lease to `lease` from now.
    public SandboxInfo renew(Duration lease) {
        return SandboxInfo.of(http.ask("POST", base + "/lease", Body.json(Json.object().put("lease_seconds", Words.seconds(lease)).done())));
    }

    /// Freezes it: nothing in it runs, memory and disk stay, its lease stands still. [SandboxInfo#expires] says when it is deleted if nobody resumes it.
    ///
    /// Errors: `wrong-state` when it is paused already; so does every call that needs a paused one.
    public SandboxInfo pause() {
        return SandboxInfo.of(http.ask("POST", base + "/pause", new Body.None()));
    }

    /// Lets it go on, with a lease of `lease` from now.
    ///
    /// Errors: `wrong-state` when it is not paused.
    public SandboxInfo resume(Duration lease) {
        return SandboxInfo.of(http.ask("POST", base + "/resume", Body.json(Json.object().put("lease_seconds", Words.seconds(lease)).done())));
    }

    /// What it used, every 5 seconds of the last hour, oldest first.
    public List<UsageSample> samples() {
        return Answers.list(http.get(base + "/samples"), "samples", UsageSample::of);
    }

    /// Those from one time to another, both included.
    public List<UsageSample> samples(Instant from, Instant to) {
        return Answers.list(http.get(base + "/samples?from=" + Http.escape(from.toString()) + "&to=" + Http.escape(to.toString())), "samples", UsageSample::of);
    }

    /// What it may reach outside, as it is now.
    public Egress egress() {
        return Egress.of(http.get(base + "/egress"));
    }

    /// Replaces what its maker asked for, rules and budget, while it runs; secrets stay. In force when this returns: open connections that are no longer allowed are cut.
    public Egress setEgress(EgressOptions egress) {
        return Egress.of(http.ask("PUT", base + "/egress", Body.json(egress.json())));
    }

    /// What it has tried to reach, oldest first.
    ///
    /// @param after only entries whose number is greater; 0 for all that are kept
    /// @param limit 1 to 1,000
    public List<Flow> flows(long after, int limit) {
        return Answers.list(http.get(base + "/flows?after=" + after + "&limit=" + limit), "flows", Flow::of);
    }

    /// Ends it and waits for its receipt; asked again, answers the same one.
    public Receipt delete() {
        ending.lock();
        try {
            var got = receipt;
            if (got == null) {
                got = Receipt.of(http.ask("DELETE", base, new Body.None()));
                receipt = got;
            }
            return got;
        } finally {
            ending.unlock();
        }
    }

    /// The receipt, once [#delete] or [#close] was called.
    public Optional<Receipt> receipt() {
        ending.lock();
        try {
            return Optional.ofNullable(receipt);
        } finally {
            ending.unlock();
        }
    }

    @Override
    public void close() {
        delete();
    }
}
