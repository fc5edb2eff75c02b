package dev.caisson.api.e2b;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.TemplateName;

/// What can be asked about templates: whether a name is one.
final class TemplateHandlers {
    private final Sandboxes sandboxes;

    TemplateHandlers(Sandboxes sandboxes) {
        this.sandboxes = sandboxes;
    }

    void alias(ControlCall call) {
        String alias = call.parameter("alias");
        TemplateName name = CreateRequest.template(alias);
        if (sandboxes.templates().stream().noneMatch(known -> known.name().equals(name))) {
            throw new Refusal(404, "template '" + Failure.shown(alias) + "' not found");
        }
        call.http().json(200, out -> {
            out.writeStringProperty("templateID", name.value());
            out.writeBooleanProperty("public", true);
        });
    }
}
