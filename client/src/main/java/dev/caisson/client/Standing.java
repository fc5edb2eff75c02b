package dev.caisson.client;

import java.util.Optional;

/// What untrusted code of yours is in for, as the installation's operator and other tenants' keys have it.
///
/// @param shared the installation has several tenants
/// @param floor the weakest tier that untrusted code may run in
/// @param acceptsEmulated the operator lets an emulated microVM count as one
/// @param unmet why such code is refused unless it asks for something else; empty when it is not
public record Standing(boolean shared, Tier floor, boolean acceptsEmulated, Optional<Unmet> unmet) {
    /// @param remedy the way out
    public record Unmet(String message, String remedy) {}

    static Standing of(Json.Obj json) {
        Optional<Unmet> unmet = json.find("unmet").map(_ -> json.object("unmet")).map(each -> new Unmet(each.text("message"), each.text("remedy")));
        return new Standing(json.bool("shared"), Words.parse(Tier.class, json.text("floor")), json.bool("accepts_emulated"), unmet);
    }
}
