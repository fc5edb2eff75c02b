package dev.caisson.app;

import dev.caisson.egress.Presets;
import dev.caisson.json.Form;
import dev.caisson.json.Forms;
import dev.caisson.json.JsonObject;
import dev.caisson.json.Yaml;
import dev.caisson.policy.EgressPolicy;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.TemplateName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/// The operator's word on the way out, `egress.yaml`: `ceiling` over everybody, `tenants` and `templates` over those of one by its name. Each has `mode` and `rules` as
/// a request has them, a rule may be `{preset: NAME}`; `ceiling` also has `open`, the consent to requests for the whole public internet. Whatever is absent
/// limits nothing; where there are rules, there is a mode.
///
/// @param ceiling what is said of everybody
record EgressFile(boolean open, EgressLayer ceiling, Map<String, EgressLayer> tenants, Map<TemplateName, EgressLayer> templates) {
    private static final EgressLayer NO_LIMIT = new EgressLayer(EgressPolicy.OPERATOR, EgressLayer.Mode.OPEN, List.of());

    /// What a file says that is not there.
    static EgressFile standard() {
        return new EgressFile(false, NO_LIMIT, Map.of(), Map.of());
    }

    /// Errors: [Failure.Code#BAD_REQUEST] that names the file, and [Failure.Code#HOST_UNFIT] when it cannot be read.
    static EgressFile read(Path file, Presets presets) {
        try {
            return parse(Yaml.parse(bytes(file)), presets);
        } catch (SandboxException e) {
            throw e.code() == Failure.Code.HOST_UNFIT ? e : e.code().with(file + ": " + e.failure().message(), e.failure().remedy(), e);
        }
    }

    static byte[] bytes(Path file) {
        try {
            if (Files.size(file) > Yaml.MAX_BYTES) {
                throw Failure.Code.BAD_REQUEST.with("it is larger than " + Yaml.MAX_BYTES + " bytes", "wildcards and presets cover many hosts with one rule");
            }
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw Failure.Code.HOST_UNFIT.with("cannot read " + file + ": " + e, "name a file that is there and may be read", e);
        }
    }

    static EgressFile parse(JsonObject in, Presets presets) {
        var form = Forms.egressLayer(presets::rules);
        Optional<JsonObject> everybody = in.child("ceiling");
        boolean open = everybody.map(ceiling -> ceiling.truth("open", false)).orElse(false);
        EgressLayer ceiling = everybody.map(layer -> layer(layer, form, EgressPolicy.OPERATOR, !layer.has("mode") && !layer.has("rules"))).orElse(NO_LIMIT);
        var tenants = layers(in, "tenants", form, EgressPolicy.TENANT, name -> {
            SandboxSpec.checkTenant(name);
            return name;
        });
        var templates = layers(in, "templates", form, EgressPolicy.TEMPLATE, TemplateName::new);
        in.end();
        return new EgressFile(open, ceiling, tenants, templates);
    }

    private static EgressLayer layer(JsonObject in, Form<EgressLayer> form, String name, boolean unlimited) {
        var mode = unlimited ? EgressLayer.Mode.OPEN : in.word("mode", EgressLayer.Mode.class);
        if (in.names().contains("name")) {
            throw Failure.Code.BAD_REQUEST.with("a layer of " + name + " has a 'name'", "leave it away: it is called " + name);
        }
        var layer = new EgressLayer(name, mode, form.readKeys(in).rules());
        in.end();
        return layer;
    }

    private static <K> Map<K, EgressLayer> layers(JsonObject in, String key, Form<EgressLayer> form, String name, Function<String, K> read) {
        var layers = new LinkedHashMap<K, EgressLayer>();
        in.child(key).ifPresent(all -> all.names().forEach(each -> layers.put(
                read.apply(each), all.child(each).map(layer -> layer(layer, form, name, false)).orElseThrow(() -> Failure.Code.BAD_REQUEST.with("'" + key + "." + each + "' says nothing", "give it a mode")))));
        return layers;
    }

    /// @param consent given elsewhere, such as by `caisson up --egress-open`
    EgressPolicy policy(boolean consent, Presets presets) {
        return new EgressPolicy(open || consent, ceiling, tenants, templates, presets::rules);
    }
}
