package dev.caisson.api.e2b;

import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// One method of one path; names in braces stand for one segment each.
record ControlRoute(String method, String[] segments, Action action) {
    interface Action {
        void answer(ControlCall call) throws IOException, InterruptedException;
    }

    static ControlRoute of(String method, String path, Action action) {
        return new ControlRoute(method, path.split("/", -1), action);
    }

    /// What the path has for the names in braces; empty when it is another path.
    Optional<Map<String, String>> match(String[] asked) {
        if (asked.length != segments.length) {
            return Optional.empty();
        }
        var found = new HashMap<String, String>();
        for (int i = 0; i < asked.length; i++) {
            if (segments[i].startsWith("{")) {
                found.put(segments[i].substring(1, segments[i].length() - 1), decoded(asked[i]));
            } else if (!segments[i].equals(asked[i])) {
                return Optional.empty();
            }
        }
        return Optional.of(found);
    }

    private static String decoded(String segment) {
        try {
            return URLDecoder.decode(segment.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException _) {
            return segment;
        }
    }
}
