package dev.caisson.json;

import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Failure;
import java.util.List;
import java.util.function.Function;
import tools.jackson.core.JsonGenerator;

final class EgressLayerForm implements Form<EgressLayer> {
    private final Form<List<EgressRule>> rules;

    EgressLayerForm(Function<String, List<EgressRule>> presets) {
        rules = new PresetOrRule(presets);
    }

    static List<EgressRule> noPreset(String name) {
        throw Failure.Code.BAD_REQUEST.with("the preset '" + Failure.shown(name) + "' cannot be named here", "write the rules themselves");
    }

    @Override
    public void writeKeys(EgressLayer value, JsonGenerator out) {
        out.writeStringProperty("name", value.name());
        out.writeStringProperty("mode", Json.label(value.mode()));
        Json.writeList(out, "rules", value.rules(), Forms.EGRESS_RULE);
    }

    @Override
    public EgressLayer readKeys(JsonObject in) {
        var all = in.either("rules", text -> List.of(EgressRule.allow(text)), rules).orElse(List.of()).stream().flatMap(List::stream).toList();
        var silent = all.isEmpty() ? EgressLayer.Mode.NONE : EgressLayer.Mode.LIST;
        return new EgressLayer(in.text("name", EgressLayer.REQUEST), in.has("mode") ? in.word("mode", EgressLayer.Mode.class) : silent, all);
    }

    /// One rule, or `{"preset": NAME}` for all of a preset's.
    private record PresetOrRule(Function<String, List<EgressRule>> presets) implements Form<List<EgressRule>> {
        @Override
        public void writeKeys(List<EgressRule> value, JsonGenerator out) {
            Forms.EGRESS_RULE.writeKeys(value.getFirst(), out);
        }

        @Override
        public List<EgressRule> readKeys(JsonObject in) {
            return in.has("preset") ? presets.apply(in.text("preset")) : List.of(Forms.EGRESS_RULE.readKeys(in));
        }
    }
}
