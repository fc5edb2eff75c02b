package dev.caisson.runtime;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// One mount inside a sandbox, made by the runtime.
///
/// @param at where, inside
/// @param type of filesystem, or `bind`
/// @param source path on the host for `bind`, else a name
public record OciMount(String at, String type, String source, List<String> options) {
    public OciMount {
        options = List.copyOf(options);
    }

    public static OciMount of(String at, String type, String... options) {
        return new OciMount(at, type, type, List.of(options));
    }

    /// A read-only view of a host directory.
    public static OciMount readOnlyBind(Path source, String at) {
        return new OciMount(at, "bind", source.toString(), List.of("bind", "ro", "nosuid", "nodev"));
    }

    Map<String, Object> json() {
        return Map.of("destination", at, "type", type, "source", source, "options", options);
    }
}
