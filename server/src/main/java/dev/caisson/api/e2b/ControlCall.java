package dev.caisson.api.e2b;

import dev.caisson.json.JsonObject;
import dev.caisson.policy.Caller;
import dev.caisson.sandbox.SandboxInfo;
import java.io.IOException;
import java.util.Map;

/// A request of the control plane whose caller is known.
///
/// @param path what stands in the path for the names in braces of its route
record ControlCall(Call http, Caller caller, Owned owned, Map<String, String> path) {
    JsonObject json() throws IOException {
        return http.json();
    }

    String parameter(String name) {
        String value = path.get(name);
        if (value == null) {
            throw new IllegalStateException("the route has no {" + name + "}");
        }
        return value;
    }

    SandboxInfo sandbox() {
        return owned.get(parameter("id"));
    }
}
