package dev.caisson.sandbox;

/// Why a sandbox ended.
public enum EndReason {
    /// Its owner deleted it.
    DELETED,
    /// Its lease was over.
    LEASE_OVER,
    /// It went over its memory limit and its kernel was killed.
    OUT_OF_MEMORY,
    /// Its kernel or its agent died or broke the protocol.
    GUEST_FAILED,
    /// It could not be created.
    CREATE_FAILED,
    /// The node came back and could not find it alive.
    LOST
}
