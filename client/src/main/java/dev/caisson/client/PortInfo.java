package dev.caisson.client;

import java.net.URI;

/// Where a port of a sandbox is found.
///
/// @param isPublic whoever knows the address may use it
/// @param token opens every port of this sandbox, in the header `Caisson-Token`
public record PortInfo(URI url, boolean isPublic, String token) {
    static PortInfo of(Json.Obj json) {
        return Answers.read(json, () -> new PortInfo(URI.create(json.text("url")), json.bool("public"), json.text("token")));
    }

    /// Without the token, which is a secret.
    @Override
    public String toString() {
        return url + (isPublic ? " (public)" : " (private)");
    }
}
