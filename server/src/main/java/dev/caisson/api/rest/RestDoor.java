package dev.caisson.api.rest;

import dev.caisson.policy.KeyStore;
import dev.caisson.policy.Quota;
import dev.caisson.policy.Tenants;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.Sandboxes;
import java.time.Duration;
import java.util.List;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;

/// Makes the REST door out of its handlers.
public final class RestDoor {
    /// A stream that was quiet for so long gets a heartbeat, so that a client that went away is noticed within two of them.
    public static final Duration HEARTBEAT = Duration.ofSeconds(10);
    /// Largest JSON document a request may carry. Unit: bytes.
    static final int MAX_JSON_BYTES = 4 * 1024 * 1024;
    /// All `wait=true` calls together may hold this much output. Unit: bytes.
    private static final long WAIT_BUDGET = 128L * 1024 * 1024;

    private RestDoor() {}

    /// @param tiers chooses the wall of each
    /// @param ways what sandboxes may reach outside
    /// @param preview where ports of sandboxes are found
    /// @param heartbeat [#HEARTBEAT], or less in a test
    public static Handler handler(Sandboxes sandboxes, KeyStore keys, Quota quota, TierPolicy tiers, WayOut ways, PreviewLinks preview, Duration heartbeat) {
        var metrics = new RequestMetrics();
        return new RestHandler(routes(sandboxes, keys, quota, tiers, ways, preview, heartbeat, metrics), keys, metrics);
    }

    /// What the HTTP server itself refuses, told as problem documents.
    public static Request.Handler errors() {
        return new ProblemErrors();
    }

    static List<Route> routes(Sandboxes sandboxes, KeyStore keys, Quota quota, TierPolicy tiers, WayOut ways, PreviewLinks preview, Duration heartbeat, RequestMetrics metrics) {
        var tenants = new Tenants(sandboxes);
        var attachments = new Attachments();
        var streaming = new CommandStreaming(attachments, heartbeat, new WaitBudget(WAIT_BUDGET));
        return Routes.table(
                new SandboxHandlers(tenants, tiers, quota, ways),
                new EgressHandlers(tenants, ways),
                new CommandHandlers(tenants, streaming, attachments),
                new FileHandlers(tenants, heartbeat),
                new PortHandlers(tenants, preview),
                new ReceiptHandlers(tenants),
                new KeyHandlers(keys),
                new InstallationHandlers(sandboxes, tiers, metrics, attachments));
    }
}
