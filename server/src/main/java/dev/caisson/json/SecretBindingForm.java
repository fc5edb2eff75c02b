package dev.caisson.json;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SecretBinding;
import java.util.List;
import java.util.stream.Collectors;
import tools.jackson.core.JsonGenerator;

final class SecretBindingForm implements Form<SecretBinding> {
    private final boolean inside;

    /// @param inside with the sealed value
    SecretBindingForm(boolean inside) {
        this.inside = inside;
    }

    @Override
    public void writeKeys(SecretBinding value, JsonGenerator out) {
        out.writeStringProperty("name", value.name());
        out.writeStringProperty("placeholder", value.placeholder());
        Json.writeTexts(out, "hosts", value.hosts().stream().map(HostPattern::toString).toList());
        Json.writeTexts(out, "places", value.places().stream().sorted().map(Json::label).toList());
        if (inside) {
            out.writeStringProperty("sealed", value.sealed());
        }
    }

    @Override
    public SecretBinding readKeys(JsonObject in) {
        return new SecretBinding(
                in.text("name"),
                in.text("placeholder"),
                in.texts("hosts").orElseThrow(() -> in.missing("hosts")).stream().map(HostPattern::parse).toList(),
                in.texts("places").orElse(List.of()).stream().map(SecretBindingForm::place).collect(Collectors.toUnmodifiableSet()),
                in.text("sealed"));
    }

    private static SecretBinding.Place place(String label) {
        for (var place : SecretBinding.Place.values()) {
            if (Json.label(place).equals(label)) {
                return place;
            }
        }
        throw Failure.Code.BAD_REQUEST.with("not a place of a secret: '" + Failure.shown(label) + "'", "choose header, query or body");
    }
}
