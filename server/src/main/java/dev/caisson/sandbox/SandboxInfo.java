package dev.caisson.sandbox;

import java.time.Instant;

/// A sandbox as its owner sees it.
///
/// @param createMillis from the request's arrival at the node to the agent's hello; 0 while creating
/// @param expires when the lease is over
public record SandboxInfo(SandboxId id, SandboxSpec spec, SandboxState state, String imageDigest, Instant created, Instant expires, long createMillis) {}
