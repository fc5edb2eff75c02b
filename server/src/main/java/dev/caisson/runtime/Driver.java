package dev.caisson.runtime;

import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.Tier;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/// Runs sandboxes in one tier.
///
/// The walk: the caller writes [#resources] to the journal, then calls [#boot], then waits for the agent on its socket. A driver undoes
/// nothing, not even after a failure: the caller hands the same list, reversed, to the reclaimer.
/// Threads: safe for many.
public interface Driver {
    DriverName kind();

    default Tier tier() {
        return kind().tier();
    }

    /// Name of the program behind it, such as `runsc`; for people.
    String name();

    /// Why this host cannot run this tier and what to install; empty when it can. Cheap after the first call.
    Optional<String> unfit();

    /// What is being found out about this host, so that [#unfit] would have to wait for it; empty when that can answer. Begins to find out, and never waits for it.
    default Optional<String> beingTried() {
        return Optional.empty();
    }

    /// Everything that [#boot] will hold, in the order of acquisition. Pure: touches nothing.
    List<Resource> resources(Boot boot);

    /// Acquires those resources and starts the agent behind the wall. Returns when the agent has been started or will be without further doing;
    /// its hello on the socket is the proof.
    ///
    /// Errors: an [IOException] whose message names what failed and the runtime's own last words.
    void boot(Boot boot) throws IOException, InterruptedException;

    /// Stops all that runs in a booted sandbox; memory and disk stay. Returns when it stands still. One that stands still already is left so.
    ///
    /// Errors: [dev.caisson.sandbox.Failure.Code#UNSUPPORTED] where this host cannot; an [IOException] when it did not come to rest, it goes on then.
    void pause(Boot boot) throws IOException, InterruptedException;

    /// True when its guests begin as a copy of one that was frozen: before anything else happens in one, it must be told the time, fresh randomness, who it is, and its
    /// addresses; and the time again whenever it goes on after a pause.
    default boolean wakesFromSnapshot() {
        return false;
    }

    /// The name of what a guest with that content begins as a copy of, which says everything that the copy depends on: one that was made ahead under the same name is as good as a
    /// new one. Empty where guests begin on their own.
    ///
    /// Errors: an [IOException] that says what is missing of it.
    default Optional<String> snapshot(Limits limits, Boot.Content content) throws IOException, InterruptedException {
        return Optional.empty();
    }

    /// Lets it go on where it stopped. One that runs is left so.
    void resume(Boot boot) throws IOException, InterruptedException;
}
