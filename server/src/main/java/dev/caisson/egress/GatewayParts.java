package dev.caisson.egress;

/// What all connections share.
///
/// @param upstream where names are resolved
/// @param buffers for busy connections
record GatewayParts(Upstream upstream, PumpBuffers buffers) {}
