package dev.caisson.json;

import dev.caisson.sandbox.HttpMatch;
import java.util.List;
import java.util.Set;
import tools.jackson.core.JsonGenerator;

/// `methods, paths`; one of them may be absent.
final class HttpMatchForm implements Form<HttpMatch> {
    @Override
    public void writeKeys(HttpMatch value, JsonGenerator out) {
        if (!value.methods().isEmpty()) {
            Json.writeTexts(out, "methods", List.copyOf(value.methods()));
        }
        if (!value.paths().isEmpty()) {
            Json.writeTexts(out, "paths", value.paths());
        }
    }

    @Override
    public HttpMatch readKeys(JsonObject in) {
        return new HttpMatch(Set.copyOf(in.texts("methods").orElse(List.of())), in.texts("paths").orElse(List.of()));
    }
}
