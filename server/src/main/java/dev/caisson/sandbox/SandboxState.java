package dev.caisson.sandbox;

/// Where a sandbox is in its life. [Life] says which request is legal when.
public enum SandboxState {
    /// Resources are being acquired; the agent has not said hello.
    CREATING,
    /// The agent answers.
    RUNNING,
    /// Frozen: no instruction of it runs, its memory is kept.
    PAUSED,
    /// Its end has been decided; resources are being released.
    DELETING,
    /// Nothing of it is left but its receipt. Terminal.
    DELETED
}
