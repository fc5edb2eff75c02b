package dev.caisson.json;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.SecretBinding;
import java.util.List;
import tools.jackson.core.JsonGenerator;

final class EgressForm implements Form<Egress> {
    private final Form<SecretBinding> secret;

    EgressForm(Form<SecretBinding> secret) {
        this.secret = secret;
    }

    @Override
    public void writeKeys(Egress value, JsonGenerator out) {
        Json.writeList(out, "layers", value.layers(), Forms.EGRESS_LAYER);
        out.writeName("budget");
        Forms.EGRESS_BUDGET.write(value.budget(), out);
        Json.writeList(out, "secrets", value.secrets(), secret);
    }

    @Override
    public Egress readKeys(JsonObject in) {
        return new Egress(
                in.objects("layers", Forms.EGRESS_LAYER),
                in.objectOr("budget", Forms.EGRESS_BUDGET).orElse(EgressBudget.DEFAULT),
                in.has("secrets") ? in.objects("secrets", secret) : List.of());
    }
}
