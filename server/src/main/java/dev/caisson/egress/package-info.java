/// The way out: the gateway that resolves names, judges and dials connections for sandboxes, and writes down what they tried.
///
/// ```
///   question ─▶ NameServer ─▶ NameService ─▶ Upstream                    ┌▶ Pump
///   connection ─▶ Gateway ─▶ Connection ─▶ Judge ─▶ Opening ─▶ Dialer ───┤
///   the node ─▶ GatewayLink ─▶ GatewayServer ─▶ Outlet                   └▶ OpenedTls ─▶ HttpRelay ─▶ Exchange
/// ```
/// Read first: [Judge] with [LayerJudge], which decide and know nothing of sockets; then [Gateway] and [Connection], which everything passes; [Outlet], what is known of one sandbox. Then one part
/// after the other, as needed:
/// - names: [NameService], [SyntheticAddresses], [Upstream]
/// - first bytes: [Opening], [ClientHello]
/// - requests: [HttpRelay], [HeadReader], [Exchange]
/// - opened TLS: [OpenedTls], [SandboxAuthority], [TrustSeeds]
/// - secrets: [SecretSeal], [SealKey], [RequestSecrets]
/// - what is written down and bounded: [FlowLog], [Spending]; what would be: [Replay]
/// - the node's end: [GatewayLink], [GatewayServer], [Registration]
///
/// Nothing here is root but the node's end, and nothing here trusts a byte that comes from a sandbox or from outside. What is not understood is refused.
/// Refuses to do: HTTP/2, UDP but for names, opening what the rules do not say.
@NullMarked
package dev.caisson.egress;

import org.jspecify.annotations.NullMarked;
