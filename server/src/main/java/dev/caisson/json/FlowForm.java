package dev.caisson.json;

import dev.caisson.sandbox.Flow;
import tools.jackson.core.JsonGenerator;

final class FlowForm implements Form<Flow> {
    @Override
    public void writeKeys(Flow value, JsonGenerator out) {
        out.writeNumberProperty("number", value.number());
        out.writeStringProperty("began_at", value.began().toString());
        out.writeStringProperty("ended_at", value.ended().toString());
        out.writeStringProperty("host", value.host());
        out.writeStringProperty("address", value.address());
        out.writeNumberProperty("port", value.port());
        out.writeStringProperty("protocol", value.protocol());
        out.writeStringProperty("request", value.request());
        out.writeStringProperty("rule", value.rule());
        out.writeBooleanProperty("allowed", value.allowed());
        out.writeStringProperty("reason", value.reason());
        out.writeNumberProperty("sent_bytes", value.sent());
        out.writeNumberProperty("received_bytes", value.received());
        out.writeNumberProperty("count", value.count());
    }

    @Override
    public Flow readKeys(JsonObject in) {
        return new Flow(
                in.whole("number", 0, Long.MAX_VALUE),
                in.time("began_at"),
                in.time("ended_at"),
                in.text("host", ""),
                in.text("address", ""),
                in.whole("port", 0, 65_535),
                in.text("protocol"),
                in.text("request", ""),
                in.text("rule", ""),
                in.truth("allowed"),
                in.text("reason", ""),
                in.whole("sent_bytes", 0, Long.MAX_VALUE),
                in.whole("received_bytes", 0, Long.MAX_VALUE),
                in.has("count") ? in.whole("count", 1, Long.MAX_VALUE) : 1);
    }
}
