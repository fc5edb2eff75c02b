package dev.caisson.json;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.DriverInfo;
import dev.caisson.sandbox.NodeStatus;
import dev.caisson.sandbox.Tier;
import tools.jackson.core.JsonGenerator;

/// `tiers` says again what the drivers say, without those that only emulate.
final class NodeStatusForm implements Form<NodeStatus> {
    private static final Form<DriverInfo> DRIVER = new DriverInfoForm();

    @Override
    public void writeKeys(NodeStatus value, JsonGenerator out) {
        out.writeNumberProperty("alive", value.alive());
        out.writeNumberProperty("standing_by", value.standingBy());
        out.writeNumberProperty("created", value.created());
        out.writeNumberProperty("deleted", value.deleted());
        out.writeNumberProperty("failed", value.failed());
        out.writeNumberProperty("leaked", value.leaked());
        Json.writeTexts(out, "tiers", value.tiers().stream().map(Tier::label).toList());
        Json.writeList(out, "drivers", value.known(), DRIVER);
        out.writeNumberProperty("resident_memory_bytes", value.residentMemory().bytes());
    }

    @Override
    public NodeStatus readKeys(JsonObject in) {
        in.texts("tiers");
        return new NodeStatus(
                in.whole("alive", 0, Integer.MAX_VALUE),
                in.whole("standing_by", 0, Integer.MAX_VALUE),
                in.whole("created", 0, Long.MAX_VALUE),
                in.whole("deleted", 0, Long.MAX_VALUE),
                in.whole("failed", 0, Long.MAX_VALUE),
                in.whole("leaked", 0, Long.MAX_VALUE),
                in.objects("drivers", DRIVER),
                new ByteSize(in.whole("resident_memory_bytes", 0, Long.MAX_VALUE)));
    }
}
