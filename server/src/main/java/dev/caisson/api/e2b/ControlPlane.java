package dev.caisson.api.e2b;

import dev.caisson.policy.Caller;
import dev.caisson.policy.KeyStore;
import dev.caisson.policy.Quota;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.Tenants;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.Sandboxes;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;

/// Finds the route of a request to the control plane, then its caller, and lets the route answer.
final class ControlPlane {
    private static final String SANDBOX = "/sandboxes/{id}";

    private final Tenants tenants;
    private final KeyStore keys;
    private final Faults faults;
    private final List<ControlRoute> routes;

    ControlPlane(Sandboxes sandboxes, KeyStore keys, Quota quota, TierPolicy tiers, WayOut ways, SandboxTokens tokens, InstantSource clock, E2bSettings settings, Faults faults) {
        this.tenants = new Tenants(sandboxes);
        this.keys = keys;
        this.faults = faults;
        var boxes = new SandboxHandlers(sandboxes, quota, tiers, ways, clock, settings, new Payloads(tokens, settings));
        this.routes = table(boxes, new MetricHandlers(sandboxes, clock), new LogHandlers(sandboxes), new TemplateHandlers(sandboxes));
    }

    private static List<ControlRoute> table(SandboxHandlers boxes, MetricHandlers metrics, LogHandlers logs, TemplateHandlers templates) {
        return List.of(
                ControlRoute.of("POST", "/v2/sandboxes", boxes::createSecond),
                ControlRoute.of("POST", "/sandboxes", boxes::createFirst),
                ControlRoute.of("GET", "/v2/sandboxes", boxes::list),
                ControlRoute.of("GET", "/sandboxes", boxes::listRunning),
                ControlRoute.of("GET", "/sandboxes/metrics", metrics::many),
                ControlRoute.of("GET", SANDBOX, boxes::get),
                ControlRoute.of("DELETE", SANDBOX, boxes::kill),
                ControlRoute.of("POST", "/v2" + SANDBOX + "/connect", boxes::connect),
                ControlRoute.of("POST", SANDBOX + "/connect", boxes::connect),
                ControlRoute.of("POST", SANDBOX + "/resume", boxes::resume),
                ControlRoute.of("POST", SANDBOX + "/pause", boxes::pause),
                ControlRoute.of("POST", SANDBOX + "/timeout", boxes::timeout),
                ControlRoute.of("POST", SANDBOX + "/refreshes", boxes::refresh),
                ControlRoute.of("PUT", SANDBOX + "/network", boxes::network),
                ControlRoute.of("GET", SANDBOX + "/metrics", metrics::one),
                ControlRoute.of("GET", "/v2" + SANDBOX + "/logs", logs::second),
                ControlRoute.of("GET", SANDBOX + "/logs", logs::first),

                ControlRoute.of("GET", "/templates/aliases/{alias}", templates::alias),

                absentOf("POST", SANDBOX + "/snapshots", "a snapshot of a sandbox"),
                absentOf("POST", SANDBOX + "/fork", "a fork of a sandbox"));
    }

    /// Of a sandbox that is not there this is said first: clients tell the two apart.
    private static ControlRoute absentOf(String method, String path, String what) {
        return ControlRoute.of(method, path, call -> {
            call.sandbox();
            throw Refusal.unsupported(what);
        });
    }

    void answer(Call call) {
        try {
            String path = Request.getPathInContext(call.request());
            if (path.equals("/health")) {
                call.empty(200);
                return;
            }
            Caller caller = caller(call);
            route(call, path.split("/", -1), caller);
        } catch (Exception e) {
            if (call.response().isCommitted()) {
                call.callback().failed(e);
            } else {
                call.refuse(faults.refusal(e));
            }
        }
    }

    private void route(Call call, String[] segments, Caller caller) throws Exception {
        boolean known = false;
        for (ControlRoute route : routes) {
            Optional<Map<String, String>> parameters = route.match(segments);
            if (parameters.isPresent()) {
                if (route.method().equals(call.request().getMethod())) {
                    route.action().answer(new ControlCall(call, caller, new Owned(tenants, caller), parameters.get()));
                    return;
                }
                known = true;
            }
        }
        if (known) {
            throw new Refusal(405, "this path cannot be asked with " + call.request().getMethod());
        }
        throw switch (segments[segments.length > 2 && segments[1].matches("v[23]") ? 2 : 1]) {
            case "snapshots" -> Refusal.unsupported("a snapshot of a sandbox");
            case "templates", "default-templates" -> Refusal.unsupported("building and managing templates over this interface");
            case "volumes", "volumecontent" -> Refusal.unsupported("a volume");
            case "secrets" -> Refusal.unsupported("a stored secret");
            case "teams" -> Refusal.unsupported("a team");
            default -> new Refusal(404, "there is no such path");
        };
    }

    private Caller caller(Call call) {
        String key = call.header("X-API-KEY");
        String bearer = call.header(HttpHeader.AUTHORIZATION.asString());
        if (key.isEmpty() && bearer.regionMatches(true, 0, "Bearer ", 0, 7)) {
            key = bearer.substring(7).strip();
        }
        if (key.isEmpty()) {
            throw new Refusal(401, "no API key was given: send it in the header X-API-KEY");
        }
        return keys.caller(key).orElseThrow(() -> new Refusal(401, "this API key is not valid here: it is mistyped, revoked, or of another installation"));
    }
}
