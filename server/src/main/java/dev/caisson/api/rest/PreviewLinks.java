package dev.caisson.api.rest;

import dev.caisson.api.PreviewDomain;
import dev.caisson.policy.PortLinks;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxId;
import java.net.URI;
import java.time.Duration;
import java.util.Optional;

/// What the door needs to tell where the ports of sandboxes are found.
///
/// @param domain empty when this installation has none
public record PreviewLinks(Optional<PreviewDomain> domain, SandboxTokens tokens, PortLinks links) {
    /// A link that opens one port for so long; empty when the installation has no domain.
    public Optional<String> link(SandboxId sandbox, int port, Duration valid) {
        return domain.map(name -> address(name.url(sandbox, port), links.make(sandbox, port, valid)));
    }

    static String address(URI port, PortLinks.Link link) {
        return port + "?caisson-link=" + link.signature();
    }

    PreviewDomain named() {
        return domain.orElseThrow(() -> Failure.Code.UNSUPPORTED.with("this installation has no domain for preview URLs", "start it with `caisson up --domain NAME`"));
    }
}
