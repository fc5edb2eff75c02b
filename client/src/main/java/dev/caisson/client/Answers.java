package dev.caisson.client;

import java.time.DateTimeException;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;

/// Turns JSON answers into records; what does not fit is a bad answer, not a bug of the caller's.
final class Answers {
    private Answers() {}

    static <T> T read(Json.Obj json, Supplier<T> reading) {
        try {
            return reading.get();
        } catch (IllegalArgumentException | DateTimeException e) {
            throw CaissonException.badAnswer(e.getMessage() + " in " + shortened(json.write()), e);
        }
    }

    static <T> List<T> list(Json.Obj json, String name, Function<Json.Obj, T> reading) {
        return read(json, () -> json.list(name).stream().map(each -> {
            if (each instanceof Json.Obj object) {
                return reading.apply(object);
            }
            throw new IllegalArgumentException("'" + name + "' is not a list of objects");
        }).toList());
    }

    private static String shortened(String text) {
        return text.length() > 200 ? text.substring(0, 200) + "…" : text;
    }
}
