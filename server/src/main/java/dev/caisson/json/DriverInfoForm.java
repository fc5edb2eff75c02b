package dev.caisson.json;

import dev.caisson.sandbox.DriverInfo;
import dev.caisson.sandbox.DriverName;
import tools.jackson.core.JsonGenerator;

/// `tier` and `fit` say again what the other keys say, for readers that only want those.
final class DriverInfoForm implements Form<DriverInfo> {
    @Override
    public void writeKeys(DriverInfo value, JsonGenerator out) {
        out.writeStringProperty("name", value.name().label());
        out.writeStringProperty("tier", value.name().tier().label());
        DriverKeys.writeIsolation(value.name(), out);
        out.writeStringProperty("program", value.program());
        out.writeBooleanProperty("fit", value.isFit());
        if (!value.isFit()) {
            out.writeStringProperty("unfit", value.unfit());
        }
        if (value.isBeingTried()) {
            out.writeBooleanProperty("being_tried", true);
        }
    }

    @Override
    public DriverInfo readKeys(JsonObject in) {
        var info = new DriverInfo(DriverName.parse(in.text("name")), in.text("program"), in.text("unfit", ""), in.truth("being_tried", false));
        in.text("tier");
        in.truth("fit");
        DriverKeys.skipIsolation(in);
        return info;
    }
}
