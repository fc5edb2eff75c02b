package dev.caisson.api.rest;

import java.util.List;

/// Everything the door answers. A test holds this table against `docs/openapi.yaml`.
final class Routes {
    private static final String SANDBOX = "/v1/sandboxes/{id}";
    private static final String COMMAND = SANDBOX + "/commands/{cid}";
    private static final String FILES = SANDBOX + "/files";

    private Routes() {}

    static List<Route> table(
            SandboxHandlers sandboxes, EgressHandlers egress, CommandHandlers commands, FileHandlers files, PortHandlers ports, ReceiptHandlers receipts, KeyHandlers keys,
            InstallationHandlers installation) {
        return List.of(
                Route.of("POST", "/v1/sandboxes", sandboxes::create),
                Route.of("GET", "/v1/sandboxes", sandboxes::list, "label", "limit", "after"),
                Route.of("GET", SANDBOX, sandboxes::get),
                Route.of("DELETE", SANDBOX, sandboxes::delete),
                Route.of("POST", SANDBOX + "/lease", sandboxes::renew),
                Route.of("POST", SANDBOX + "/pause", sandboxes::pause),
                Route.of("POST", SANDBOX + "/resume", sandboxes::resume),
                Route.of("GET", SANDBOX + "/usage", sandboxes::usage),
                Route.of("GET", SANDBOX + "/samples", sandboxes::samples, "from", "to"),

                Route.of("GET", SANDBOX + "/egress", egress::get),
                Route.of("PUT", SANDBOX + "/egress", egress::put),
                Route.of("GET", SANDBOX + "/flows", egress::flows, "after", "limit"),

                Route.of("POST", SANDBOX + "/commands", commands::run, "wait"),
                Route.of("GET", SANDBOX + "/commands", commands::list),
                Route.of("GET", COMMAND, commands::get),
                Route.of("GET", COMMAND + "/stream", commands::attach, "stdout_offset", "stderr_offset"),
                Route.of("POST", COMMAND + "/stdin", commands::writeStdin, "end"),
                Route.of("POST", COMMAND + "/signal", commands::signal),
                Route.of("POST", COMMAND + "/resize", commands::resize),

                Route.of("GET", FILES, files::read, "path", "user", "offset", "length"),
                Route.of("PUT", FILES, files::write, "path", "user", "mode", "metadata"),
                Route.of("DELETE", FILES, files::remove, "path", "user"),
                Route.of("GET", FILES + "/stat", files::stat, "path", "user"),
                Route.of("GET", FILES + "/list", files::list, "path", "user", "depth"),
                Route.of("POST", FILES + "/directory", files::makeDirectory),
                Route.of("POST", FILES + "/rename", files::rename),
                Route.of("GET", FILES + "/watch", files::watch, "path", "user", "recursive"),

                Route.of("GET", SANDBOX + "/ports/{port}", ports::get),
                Route.of("POST", SANDBOX + "/ports/{port}/links", ports::link),

                Route.of("GET", "/v1/receipts", receipts::list, "limit"),
                Route.of("GET", "/v1/receipts/{id}", receipts::get),

                Route.of("GET", "/v1/keys", keys::list),
                Route.of("POST", "/v1/keys", keys::create),
                Route.of("DELETE", "/v1/keys/{kid}", keys::revoke),

                Route.open("GET", "/v1/health", installation::health),
                Route.of("GET", "/v1/templates", installation::templates),
                Route.of("GET", "/v1/status", installation::status),
                Route.of("GET", "/v1/metrics", installation::metrics),
                Route.open("GET", "/v1/openapi.yaml", installation::openApiYaml),
                Route.open("GET", "/v1/openapi.json", installation::openApiJson));
    }
}
