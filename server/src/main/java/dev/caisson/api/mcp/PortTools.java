package dev.caisson.api.mcp;

import dev.caisson.policy.Tenants;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/// Letting a person see what a sandbox serves.
final class PortTools {
    private static final Duration DEFAULT_VALID = Duration.ofHours(1);
    private static final Duration MAX_VALID = Duration.ofHours(24);

    private final Tenants tenants;
    private final PreviewLinks links;

    PortTools(Tenants tenants, PreviewLinks links) {
        this.tenants = tenants;
        this.links = links;
    }

    List<Tool> all() {
        return List.of(new Tool("expose_port", "Get a link to a port",
                "Answers a link under which a person's browser reaches a server that runs in the sandbox, such as a web application you have started in the background with run_command. "
                        + "Any HTTP server will do, also one that listens on 127.0.0.1 only. The link opens this one port, for valid_seconds, and no longer than the sandbox lives; "
                        + "whoever has it may use it. It does not give the sandbox a network.",
                Schema.object()
                        .required("sandbox_id", Tools.sandboxId())
                        .required("port", Schema.whole(1, 65_535))
                        .optional("valid_seconds", Schema.whole(1, MAX_VALID.toSeconds()).byDefault(DEFAULT_VALID.toSeconds())),
                Schema.object().required("url", Schema.text()).required("valid_seconds", Schema.whole()), Tool.Effect.CHANGES, in -> {
                    SandboxId id = Tools.sandboxId(in);
                    int port = in.whole("port", 1, 65_535);
                    Duration valid = in.wholeOr("valid_seconds", 1, MAX_VALID.toSeconds()).map(Duration::ofSeconds).orElse(DEFAULT_VALID);
                    return call -> link(tenants.of(call.caller()).get(id), port, valid);
                }));
    }

    private Tool.Result link(SandboxInfo info, int port, Duration valid) {
        SandboxId id = info.id();
        String url = links.link(id, port, valid).orElseThrow(() -> Failure.Code.UNSUPPORTED.with(
                "no domain is configured for links into sandboxes on this installation", "tell the user; what the server answers can be seen from inside, with curl or python"));
        return new Tool.Result(url + "\nIt works for " + valid.toSeconds() + " s, while the sandbox lives.", Map.of("url", url, "valid_seconds", valid.toSeconds()));
    }
}
