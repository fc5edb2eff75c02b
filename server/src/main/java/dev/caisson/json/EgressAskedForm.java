package dev.caisson.json;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import java.util.List;
import tools.jackson.core.JsonGenerator;

/// The request's part of it, as a request says it, so that a spec that was shown can be sent again. What others allow is not in it.
final class EgressAskedForm implements Form<Egress> {
    @Override
    public void writeKeys(Egress value, JsonGenerator out) {
        EgressLayer request = value.layers().getFirst();
        out.writeStringProperty("mode", Json.label(request.mode()));
        Json.writeList(out, "rules", request.rules(), Forms.EGRESS_RULE);
        out.writeName("budget");
        Forms.EGRESS_BUDGET.write(value.budget(), out);
    }

    @Override
    public Egress readKeys(JsonObject in) {
        return new Egress(List.of(Forms.EGRESS_LAYER.readKeys(in)), in.objectOr("budget", Forms.EGRESS_BUDGET).orElse(EgressBudget.DEFAULT), List.of());
    }
}
