package dev.caisson.sandbox;

/// The pure rule of a sandbox's life: what a request means in a state. It owns no time and has no effect.
///
/// ```
///   create ─▶ CREATING ──agent said hello──▶ RUNNING ◀──resume, pause──▶ PAUSED
///                 │                             │                          │
///                 └─────── delete, lease over, failed ──▶ DELETING ──all gone──▶ DELETED
/// ```
public final class Life {
    private Life() {}

    /// What may happen to a sandbox.
    public enum Request {
        AGENT_READY,
        /// Run a command, move a file: anything that needs the guest.
        USE,
        /// A caller's wish, a lease that is over, a guest that died: all end the same way.
        END,
        PAUSE,
        RESUME,
        RESOURCES_GONE
    }

    /// What becomes of a request.
    public sealed interface Decision {
        record Accept(SandboxState next) implements Decision {}

        /// Already so; nothing to do.
        record Ignore() implements Decision {}

        record Deny(String reason) implements Decision {}
    }

    public static Decision decide(SandboxState state, Request request) {
        return switch (request) {
            case AGENT_READY -> switch (state) {
                case CREATING -> new Decision.Accept(SandboxState.RUNNING);
                case RUNNING, PAUSED -> new Decision.Ignore();
                case DELETING, DELETED -> new Decision.Deny("it is being deleted");
            };
            case USE -> switch (state) {
                case RUNNING -> new Decision.Accept(SandboxState.RUNNING);
                case CREATING -> new Decision.Deny("it is still being created");
                case PAUSED -> new Decision.Deny("it is paused");
                case DELETING, DELETED -> new Decision.Deny("it is deleted");
            };
            case PAUSE -> switch (state) {
                case RUNNING -> new Decision.Accept(SandboxState.PAUSED);
                case CREATING -> new Decision.Deny("it is still being created");
                case PAUSED -> new Decision.Deny("it is paused already");
                case DELETING, DELETED -> new Decision.Deny("it is deleted");
            };
            case RESUME -> switch (state) {
                case PAUSED -> new Decision.Accept(SandboxState.RUNNING);
                case CREATING, RUNNING -> new Decision.Deny("it is not paused");
                case DELETING, DELETED -> new Decision.Deny("it is deleted");
            };
            case END -> switch (state) {
                case CREATING, RUNNING, PAUSED -> new Decision.Accept(SandboxState.DELETING);
                case DELETING, DELETED -> new Decision.Ignore();
            };
            case RESOURCES_GONE -> switch (state) {
                case DELETING -> new Decision.Accept(SandboxState.DELETED);
                case DELETED -> new Decision.Ignore();
                case CREATING, RUNNING, PAUSED -> new Decision.Deny("its end was not decided");
            };
        };
    }
}
