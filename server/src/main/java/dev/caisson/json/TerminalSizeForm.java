package dev.caisson.json;

import dev.caisson.sandbox.TerminalSize;
import tools.jackson.core.JsonGenerator;

final class TerminalSizeForm implements Form<TerminalSize> {
    @Override
    public void writeKeys(TerminalSize value, JsonGenerator out) {
        out.writeNumberProperty("columns", value.columns());
        out.writeNumberProperty("rows", value.rows());
    }

    @Override
    public TerminalSize readKeys(JsonObject in) {
        return new TerminalSize(in.whole("columns", Integer.MIN_VALUE, Integer.MAX_VALUE), in.whole("rows", Integer.MIN_VALUE, Integer.MAX_VALUE));
    }
}
