package dev.caisson.api.mcp;

import dev.caisson.policy.Caller;
import dev.caisson.sandbox.SandboxSpec;

/// A call of a tool: whose it is, how it can be ended early, whom to tell how far it is.
///
/// @param progress does nothing when the client did not ask to be told
record ToolCall(RunningCall running, Progress progress) {
    /// Tells how far a long call is.
    interface Progress {
        /// @param done in the same unit as `total`
        void tell(double done, double total, String message);

        /// False when nobody listens, so that nothing need be prepared.
        boolean isWanted();
    }

    Caller caller() {
        return running.caller();
    }

    /// The tenant that a sandbox made by this caller belongs to.
    String tenant() {
        return caller().seesAll() ? SandboxSpec.DEFAULT_TENANT : caller().tenant();
    }
}
