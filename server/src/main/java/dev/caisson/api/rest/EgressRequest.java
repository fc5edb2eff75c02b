package dev.caisson.api.rest;

import dev.caisson.json.Form;
import dev.caisson.json.Forms;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SecretBinding;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import tools.jackson.core.JsonGenerator;

/// What a request says of the way out: the keys of `egress`.
///
/// @param layer of the request; `mode` decides where no rule does, and unless it is said, any rule makes it `list`
/// @param budget empty when it says nothing
record EgressRequest(EgressLayer layer, Optional<EgressBudget> budget) {
    private static final Form<Asked> SECRET = new AskedForm();

    /// @param secrets there are some, whose hosts may be reached even if nothing else may
    static EgressRequest read(JsonObject in, WayOut ways, boolean secrets) {
        var rules = new ArrayList<EgressRule>();
        in.texts("deny").orElse(List.of()).forEach(text -> rules.add(EgressRule.deny(text)));
        in.either("rules", EgressRule::allow, Forms.EGRESS_RULE).ifPresent(rules::addAll);
        in.texts("allow").orElse(List.of()).forEach(text -> rules.add(EgressRule.allow(text)));
        in.texts("presets").orElse(List.of()).forEach(name -> rules.addAll(ways.preset(name)));
        var silent = rules.isEmpty() && !secrets ? EgressLayer.Mode.NONE : EgressLayer.Mode.LIST;
        var mode = in.has("mode") ? in.word("mode", EgressLayer.Mode.class) : silent;
        if (secrets && mode == EgressLayer.Mode.NONE) {
            throw Failure.Code.BAD_REQUEST.with("egress mode none, and secrets that are for hosts outside", "leave one of them away");
        }
        return new EgressRequest(new EgressLayer(EgressLayer.REQUEST, mode, rules), in.objectOr("budget", Forms.EGRESS_BUDGET));
    }

    /// The `secrets` of a create, each sealed.
    static List<SecretBinding> secrets(JsonObject in, WayOut ways) {
        if (!in.has("secrets")) {
            return List.of();
        }
        return in.objects("secrets", SECRET).stream().map(asked -> ways.secrets().bind(asked.name(), asked.value(), asked.hosts(), asked.places())).toList();
    }

    private record Asked(String name, String value, List<HostPattern> hosts, Set<SecretBinding.Place> places) {
        /// Without the value.
        @Override
        public String toString() {
            return "Asked[" + name + "]";
        }
    }

    /// `name, value, hosts, places`; it is read and never written.
    private static final class AskedForm implements Form<Asked> {
        @Override
        public void writeKeys(Asked value, JsonGenerator out) {
            throw new UnsupportedOperationException("a secret's value is told to nobody");
        }

        @Override
        public Asked readKeys(JsonObject in) {
            var places = EnumSet.noneOf(SecretBinding.Place.class);
            in.texts("places").orElse(List.of()).forEach(text -> places.add(place(text)));
            return new Asked(in.text("name"), in.text("value"), in.texts("hosts").orElse(List.of()).stream().map(HostPattern::parse).toList(), places);
        }

        private static SecretBinding.Place place(String text) {
            return switch (text) {
                case "header" -> SecretBinding.Place.HEADER;
                case "query" -> SecretBinding.Place.QUERY;
                case "body" -> SecretBinding.Place.BODY;
                default -> throw Failure.Code.BAD_REQUEST.with("not a place for a secret: '" + Failure.shown(text) + "'", "choose header, query or body");
            };
        }
    }
}
