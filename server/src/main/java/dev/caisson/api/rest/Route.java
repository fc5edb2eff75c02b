package dev.caisson.api.rest;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// One line of the route table.
///
/// @param path segments in braces are parameters and match anything that is not empty
/// @param query names of the query parameters it knows
/// @param open true when no key is needed
record Route(String method, String path, Set<String> query, boolean open, Action action) {
    /// What a route does. It ends by giving exactly one answer through the call, or throws.
    interface Action {
        void answer(Call call) throws Exception;
    }

    static Route of(String method, String path, Action action, String... query) {
        return new Route(method, path, Set.of(query), false, action);
    }

    static Route open(String method, String path, Action action) {
        return new Route(method, path, Set.of(), true, action);
    }

    /// The path's parameters when it is this route's; empty when it is not.
    Optional<Map<String, String>> match(String[] segments) {
        String[] mine = path.split("/", -1);
        if (mine.length != segments.length) {
            return Optional.empty();
        }
        var parameters = new HashMap<String, String>();
        for (int i = 0; i < mine.length; i++) {
            if (mine[i].startsWith("{") && !segments[i].isEmpty()) {
                parameters.put(mine[i].substring(1, mine[i].length() - 1), segments[i]);
            } else if (!mine[i].equals(segments[i])) {
                return Optional.empty();
            }
        }
        return Optional.of(parameters);
    }
}
