package dev.caisson.policy;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SecretBinding;
import dev.caisson.sandbox.TemplateName;
import java.util.List;

/// STUB.
public record EgressPolicy(boolean isOpen) {
    Egress compose(EgressLayer request, EgressBudget budget, List<SecretBinding> bindings, String tenant, TemplateName template) {
        if (request.mode() == EgressLayer.Mode.OPEN && !isOpen) {
            throw Failure.Code.NOT_PERMITTED.with("no consent", "caisson up --egress-open");
        }
        return new Egress(List.of(request), budget, bindings);
    }

    List<EgressRule> preset(String name) {
        if (!name.equals("model-apis")) {
            throw Failure.Code.BAD_REQUEST.with("there is no preset '" + Failure.shown(name) + "'", "choose model-apis");
        }
        return List.of(EgressRule.allow("api.example.com"));
    }
}
