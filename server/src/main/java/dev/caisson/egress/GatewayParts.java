package dev.caisson.egress;

/// What all connections share.
///
/// @param upstream where names are resolved
/// @param buffers for busy connections
/// @param openedTls where TLS ends at the gateway
/// @param deadlines of requests and handshakes
record GatewayParts(Upstream upstream, PumpBuffers buffers, OpenedTls openedTls, Deadlines deadlines) {}
