package dev.caisson.api.e2b;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/// What a client says it can unpack, with how much it wants each: 0 not at all, up to 1.
record Encodings(Map<String, Double> wanted) {
    /// Reads an `Accept-Encoding`; what is not understood of it is passed over.
    ///
    /// Errors: 406 when it rules out both gzip and bytes as they are.
    static Encodings parse(String header) {
        var wanted = new HashMap<String, Double>();
        for (String item : header.split(",", 64)) {
            String[] parts = item.split(";", 2);
            String name = parts[0].strip().toLowerCase(Locale.ROOT);
            if (!name.isEmpty()) {
                wanted.put(name, parts.length < 2 ? 1.0 : quality(parts[1].strip()));
            }
        }
        var encodings = new Encodings(wanted);
        if (!encodings.takesPlain() && encodings.of("gzip") == 0) {
            throw new Refusal(406, "no acceptable encoding: there are gzip and identity");
        }
        return encodings;
    }

    private static double quality(String text) {
        return text.matches("q=(0(\\.[0-9]{0,3})?|1(\\.0{0,3})?)") ? Double.parseDouble(text.substring(2)) : 1.0;
    }

    private double of(String name) {
        return wanted.getOrDefault(name, wanted.getOrDefault("*", 0.0));
    }

    /// Bytes as they are need not be named to be taken.
    private boolean takesPlain() {
        return wanted.getOrDefault("identity", wanted.getOrDefault("*", 1.0)) > 0;
    }

    /// Whether gzip is the one thing asked for. A client that only lists what it could unpack is as well off without.
    boolean wantsGzip() {
        return of("gzip") > 0 && (!takesPlain() || wanted.size() == 1 && wanted.containsKey("gzip") || of("gzip") > of("identity") && wanted.containsKey("identity"));
    }
}
