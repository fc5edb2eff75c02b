package dev.caisson.sandbox;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/// The key of the house: what can be done with sandboxes. `node` implements it on a machine; every door knows only this.
///
/// Every call may throw [SandboxException]; a sandbox that is not there is [Failure.Code#SANDBOX_NOT_FOUND].
/// Threads: safe for many.
public interface Sandboxes {
    /// Makes a sandbox and waits until its agent answers. When it fails nothing is left.
    SandboxInfo create(SandboxSpec spec) throws InterruptedException;

    SandboxInfo get(SandboxId id);

    /// The living ones, oldest first.
    List<SandboxInfo> list();

    /// Starts a command; its stream begins with [CommandEvent.Started].
    CommandStream run(SandboxId id, CommandSpec command) throws InterruptedException;

    /// One more stream of a command, each channel from the offset given: bytes since its start, [CommandStream#FROM_NOW] or [CommandStream#FROM_KEPT].
    ///
    /// The guest keeps the last 4 MiB a channel; of a command that has ended, at least for 30 seconds, 64 KiB once somebody has heard its end. A command has
    /// at most 32 streams; the slowest holds it back, and its input may come from any.
    /// Errors: [Failure.Code#OUTPUT_LOST] for an offset that is no longer kept, [Failure.Code#TOO_MANY].
    CommandStream attach(SandboxId id, CommandId command, long stdoutOffset, long stderrOffset) throws InterruptedException;

    /// Gives input to a command without taking its output; waits until the command's pipe has taken it.
    ///
    /// @param end nothing comes after it; `data` may be empty then
    /// Errors: [Failure.Code#WRONG_STATE] for a command that takes no input, or no more.
    void input(SandboxId id, CommandId command, ByteBuffer data, boolean end) throws InterruptedException;

    List<CommandInfo> commands(SandboxId id);

    /// Sends a signal (1 to 64) to a command's process group.
    void signal(SandboxId id, CommandId command, int signal);

    void resize(SandboxId id, CommandId command, TerminalSize size);

    /// Its files, each call with the rights of the user it names.
    default Files files(SandboxId id) {
        return files(id, Files.Rights.USER);
    }

    Files files(SandboxId id, Files.Rights rights);

    /// Connects to a port of the sandbox, on its own loopback, whatever address the server inside listens on.
    ///
    /// Errors: [Failure.Code#PORT_CLOSED] when nothing listens there.
    PortConnection dial(SandboxId id, int port) throws InterruptedException;

    /// Freezes a sandbox: nothing in it runs, its memory and disk stay, its lease stands still until it is resumed.
    ///
    /// What is left of a pause that nobody ends is bounded too: [SandboxInfo#expires] says when it is deleted.
    /// Errors: [Failure.Code#WRONG_STATE] when it is paused already, [Failure.Code#UNSUPPORTED] on a machine that cannot.
    SandboxInfo pause(SandboxId id) throws InterruptedException;

    /// Lets a paused sandbox go on, with a lease of `lease` from now.
    ///
    /// Errors: [Failure.Code#WRONG_STATE] when it is not paused.
    SandboxInfo resume(SandboxId id, Duration lease) throws InterruptedException;

    /// Samples of its use from `from` to `to`, oldest first; at least the last hour's are kept.
    List<UsageSample> samples(SandboxId id, Instant from, Instant to);

    /// What it has used so far.
    Usage usage(SandboxId id);

    /// Replaces what a sandbox may reach outside, while it runs; in force when this returns, for connections that are open too.
    ///
    /// Errors: [Failure.Code#EGRESS_UNAVAILABLE] when the gateway cannot be told: it then reaches nothing until the gateway has been.
    default SandboxInfo setEgress(SandboxId id, Egress egress) throws InterruptedException {
        throw Failure.Code.UNSUPPORTED.with("egress of sandbox " + id + " cannot be changed here", "make another one");
    }

    /// What a sandbox has tried to reach, oldest first: entries whose number is greater than `after`, at most `limit` of them, 1 to 1,000. Also of one that is
    /// gone, for as long as the log is kept.
    default List<Flow> flows(SandboxId id, long after, int limit) throws InterruptedException {
        return List.of();
    }

    /// Moves the end of the lease to `lease` from now.
    SandboxInfo renew(SandboxId id, Duration lease);

    /// Ends a sandbox and waits for its receipt; asked again, answers the same receipt.
    Receipt delete(SandboxId id) throws InterruptedException;

    /// The receipt of an ended sandbox.
    Receipt receipt(SandboxId id);

    /// The newest receipts, newest first, at most `limit`.
    default List<Receipt> receipts(int limit) {
        return receipts("", limit);
    }

    /// The newest receipts of one tenant, newest first.
    ///
    /// @param tenant empty means every one's
    /// @param limit 1 to 1,000; others are moved to the nearer end
    List<Receipt> receipts(String tenant, int limit);

    /// What sandboxes can be made from, whether or not it is built.
    List<TemplateInfo> templates();

    /// Figures of the machine that runs the sandboxes.
    NodeStatus status();
}
