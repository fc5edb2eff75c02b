package dev.caisson.json;

import dev.caisson.sandbox.DriverName;
import java.util.Optional;
import tools.jackson.core.JsonGenerator;

/// `driver` and `isolation`, wherever a tier is named.
final class DriverKeys {
    private DriverKeys() {}

    static void write(Optional<DriverName> driver, JsonGenerator out) {
        driver.ifPresent(name -> {
            out.writeStringProperty("driver", name.label());
            writeIsolation(name, out);
        });
    }

    /// Said of an emulated wall only, so that nobody takes it for one.
    static void writeIsolation(DriverName driver, JsonGenerator out) {
        if (driver.isEmulated()) {
            out.writeStringProperty("isolation", DriverName.EMULATED);
        }
    }

    /// What was written before drivers had names does not say it.
    static Optional<DriverName> read(JsonObject in) {
        skipIsolation(in);
        return in.textOr("driver").map(DriverName::parse);
    }

    /// It is for readers outside; the driver says the same.
    static void skipIsolation(JsonObject in) {
        in.textOr("isolation");
    }
}
