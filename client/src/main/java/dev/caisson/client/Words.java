package dev.caisson.client;

import java.time.Duration;
import java.util.Locale;
import java.util.Optional;

/// How words and times are spelled on the wire.
final class Words {
    private Words() {}

    static String label(Enum<?> word) {
        return word.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    static <E extends Enum<E>> E parse(Class<E> type, String label) {
        try {
            return Enum.valueOf(type, label.toUpperCase(Locale.ROOT).replace('-', '_'));
        } catch (IllegalArgumentException e) {
            throw CaissonException.badAnswer("unknown word '" + label + "' for " + type.getSimpleName(), e);
        }
    }

    /// The driver that an object names, if it does.
    static Optional<Driver> driver(Json.Obj object) {
        return object.find("driver").map(_ -> parse(Driver.class, object.text("driver")));
    }

    static Duration millis(Json.Obj object, String name) {
        return Duration.ofNanos(Math.round(object.number(name) * 1e6));
    }

    static double millis(Duration time) {
        return time.toNanos() / 1e6;
    }

    static double seconds(Duration time) {
        return time.toNanos() / 1e9;
    }
}
