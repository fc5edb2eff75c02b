package dev.caisson.api.e2b;

import dev.caisson.api.Door;
import dev.caisson.api.PortForwarder;
import dev.caisson.policy.KeyStore;
import dev.caisson.policy.Quota;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.Sandboxes;
import java.time.InstantSource;
import java.util.Optional;
import java.util.Set;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/// The dialect of E2B's clients.
///
/// It takes what names a sandbox's own server, by headers or by a host name `49983-<id>.…`, and the paths of E2B's control plane.
public final class E2bDoor implements Door {
    private static final Set<String> CONTROL = Set.of(
            "sandboxes", "snapshots", "templates", "default-templates", "volumes", "volumecontent", "secrets", "teams", "health");
    private static final Set<String> VERSIONED = Set.of("sandboxes", "templates");

    private final ControlPlane control;
    private final DataPlane data;

    /// @param tiers chooses the wall of each
    /// @param ways what sandboxes may reach outside
    /// @param tokens gives each sandbox the token its data plane asks for
    /// @param forwarder takes requests to ports other than that of the data plane; without one they are answered as closed
    public E2bDoor(
            Sandboxes sandboxes, KeyStore keys, Quota quota, TierPolicy tiers, WayOut ways, SandboxTokens tokens, Optional<PortForwarder> forwarder, InstantSource clock,
            E2bSettings settings) {
        var faults = new Faults();
        control = new ControlPlane(sandboxes, keys, quota, tiers, ways, tokens, clock, settings, faults);
        data = new DataPlane(sandboxes, tokens, forwarder, clock, settings, faults);
    }

    @Override
    public boolean takes(Request request) {
        return switch (Target.named(request)) {
            case Target.Named.BY_HOST -> true;
            case Target.Named.BY_ANOTHER_PORTS_HOST -> false;
            case Target.Named.BY_HEADERS, Target.Named.BY_PREFLIGHT, Target.Named.BY_SIGNATURE -> true;
            case Target.Named.NOT -> isControl(Request.getPathInContext(request));
        };
    }

    private static boolean isControl(String path) {
        String[] segments = path.split("/", 4);
        if (segments.length < 2) {
            return false;
        }
        boolean versioned = segments.length > 2 && (segments[1].equals("v2") || segments[1].equals("v3")) && VERSIONED.contains(segments[2]);
        return versioned || CONTROL.contains(segments[1]);
    }

    @Override
    public Handler handler() {
        return new Handler.Abstract() {
            @Override
            public boolean handle(Request request, Response response, Callback callback) {
                var call = new Call(request, response, callback);
                if (Target.named(request) == Target.Named.NOT) {
                    control.answer(call);
                } else {
                    data.answer(call);
                }
                return true;
            }
        };
    }
}
