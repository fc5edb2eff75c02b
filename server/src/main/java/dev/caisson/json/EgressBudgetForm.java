package dev.caisson.json;

import dev.caisson.sandbox.EgressBudget;
import tools.jackson.core.JsonGenerator;

final class EgressBudgetForm implements Form<EgressBudget> {
    @Override
    public void writeKeys(EgressBudget value, JsonGenerator out) {
        out.writeNumberProperty("connections", value.connections());
        out.writeNumberProperty("bytes", value.bytes().bytes());
        out.writeNumberProperty("requests_per_second", value.requestsPerSecond());
    }

    @Override
    public EgressBudget readKeys(JsonObject in) {
        return new EgressBudget(
                whole(in, "connections", EgressBudget.DEFAULT.connections()),
                in.size("bytes").orElse(EgressBudget.DEFAULT.bytes()),
                whole(in, "requests_per_second", EgressBudget.DEFAULT.requestsPerSecond()));
    }

    private static int whole(JsonObject in, String key, int absent) {
        return in.wholeOr(key, Integer.MIN_VALUE, Integer.MAX_VALUE).map(Long::intValue).orElse(absent);
    }
}
