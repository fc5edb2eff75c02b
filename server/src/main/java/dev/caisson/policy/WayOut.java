package dev.caisson.policy;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.SecretBinding;
import dev.caisson.sandbox.TemplateName;
import java.util.List;

/// What doors ask when somebody wants a sandbox to reach something outside.
///
/// @param policy what the operator allows at most
/// @param secrets takes values in
public record WayOut(EgressPolicy policy, Secrets secrets) {
    /// The request's wish under what template, tenant and operator allow.
    ///
    /// Errors: [dev.caisson.sandbox.Failure.Code#NOT_PERMITTED] for the whole internet where the operator has not consented.
    public Egress compose(EgressLayer request, EgressBudget budget, List<SecretBinding> bindings, String tenant, TemplateName template) {
        return policy.compose(request, budget, bindings, tenant, template);
    }

    /// True where sandboxes may be let out to the whole internet.
    public boolean isOpen() {
        return policy.isOpen();
    }

    /// The rules of a list that the installation keeps.
    ///
    /// Errors: [dev.caisson.sandbox.Failure.Code#BAD_REQUEST] for one that is not there.
    public List<EgressRule> preset(String name) {
        return policy.preset(name);
    }
}
