package dev.caisson.json;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.NodeStatus;
import dev.caisson.sandbox.Tier;
import tools.jackson.core.JsonGenerator;

final class NodeStatusForm implements Form<NodeStatus> {
    @Override
    public void writeKeys(NodeStatus value, JsonGenerator out) {
        out.writeNumberProperty("alive", value.alive());
        out.writeNumberProperty("created", value.created());
        out.writeNumberProperty("deleted", value.deleted());
        out.writeNumberProperty("failed", value.failed());
        out.writeNumberProperty("leaked", value.leaked());
        Json.writeTexts(out, "tiers", value.tiers().stream().map(Tier::label).toList());
        Json.writeTexts(out, "drivers", value.drivers().stream().map(DriverName::label).toList());
        out.writeNumberProperty("resident_memory_bytes", value.residentMemory().bytes());
    }

    @Override
    public NodeStatus readKeys(JsonObject in) {
        return new NodeStatus(
                in.whole("alive", 0, Integer.MAX_VALUE),
                in.whole("created", 0, Long.MAX_VALUE),
                in.whole("deleted", 0, Long.MAX_VALUE),
                in.whole("failed", 0, Long.MAX_VALUE),
                in.whole("leaked", 0, Long.MAX_VALUE),
                in.texts("drivers").orElseThrow(() -> in.missing("drivers")).stream().map(DriverName::parse).toList(),
                new ByteSize(in.whole("resident_memory_bytes", 0, Long.MAX_VALUE)));
    }
}
