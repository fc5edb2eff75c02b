package dev.caisson.json;

import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.EgressTarget;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.HttpMatch;
import dev.caisson.sandbox.PortRange;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import tools.jackson.core.JsonGenerator;

/// What is as [EgressRule#allow(EgressTarget)] and [EgressRule#deny(EgressTarget)] make it is left away. No ports at all (`[]`) means every one.
final class EgressRuleForm implements Form<EgressRule> {
    private static final Form<HttpMatch> REQUESTS = new HttpMatchForm();

    @Override
    public void writeKeys(EgressRule value, JsonGenerator out) {
        out.writeStringProperty(Json.label(value.action()), value.target().toString());
        if (!value.name().isEmpty()) {
            out.writeStringProperty("name", value.name());
        }
        var usual = usual(value.action(), value.target(), !value.http().isEmpty());
        if (!value.ports().equals(usual.ports())) {
            out.writeArrayPropertyStart("ports");
            value.ports().forEach(range -> write(range, out));
            out.writeEndArray();
        }
        if (!value.protocols().equals(usual.protocols())) {
            Json.writeTexts(out, "protocols", value.protocols().stream().sorted().map(EgressProtocol::label).toList());
        }
        if (value.http().size() == 1) {
            REQUESTS.writeKeys(value.http().getFirst(), out);
        } else if (!value.http().isEmpty()) {
            Json.writeList(out, "requests", value.http(), REQUESTS);
        } else if (value.inspect()) {
            out.writeBooleanProperty("inspect", true);
        }
    }

    @Override
    public EgressRule readKeys(JsonObject in) {
        boolean allow = in.has("allow");
        if (allow == in.has("deny")) {
            throw Failure.Code.BAD_REQUEST.with("an egress rule " + (allow ? "both allows and denies" : "neither allows nor denies anything"), "write one of 'allow' and 'deny', with a host or a network");
        }
        var action = allow ? EgressRule.Action.ALLOW : EgressRule.Action.DENY;
        var target = EgressTarget.parse(in.text(allow ? "allow" : "deny"));
        var http = http(in);
        var usual = usual(action, target, !http.isEmpty());
        return new EgressRule(
                in.text("name", ""),
                action,
                target,
                in.textsOrNumbers("ports").map(ports -> ports.stream().map(PortRange::parse).toList()).orElse(usual.ports()),
                in.texts("protocols").map(EgressRuleForm::protocols).orElse(usual.protocols()),
                http,
                in.truth("inspect", false));
    }

    private static List<HttpMatch> http(JsonObject in) {
        boolean direct = in.has("methods") || in.has("paths");
        if (direct && in.has("requests")) {
            throw Failure.Code.BAD_REQUEST.with("an egress rule has 'requests', and methods or paths beside them", "put all of them into 'requests'");
        }
        return direct ? List.of(REQUESTS.readKeys(in)) : in.has("requests") ? in.objects("requests", REQUESTS) : List.of();
    }

    private static EgressRule usual(EgressRule.Action action, EgressTarget target, boolean seen) {
        var usual = action == EgressRule.Action.ALLOW ? EgressRule.allow(target) : EgressRule.deny(target);
        // Requests are only known of what is looked into.
        return seen ? usual.withProtocols(EgressRule.SEEN) : usual;
    }

    private static Set<EgressProtocol> protocols(List<String> labels) {
        return labels.stream().map(EgressProtocol::parse).collect(Collectors.toUnmodifiableSet());
    }

    private static void write(PortRange range, JsonGenerator out) {
        if (range.first() == range.last()) {
            out.writeNumber(range.first());
        } else {
            out.writeString(range.toString());
        }
    }
}
