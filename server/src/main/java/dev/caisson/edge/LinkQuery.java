package dev.caisson.edge;

import java.util.ArrayList;
import java.util.List;

/// A request's path and query, parted from the signed links in it.
///
/// @param rest as it was, byte for byte, without them
record LinkQuery(String rest, List<String> signatures) {
    private static final String PREFIX = Admission.LINK_PARAMETER + "=";

    static LinkQuery of(String pathQuery) {
        int question = pathQuery.indexOf('?');
        if (question < 0 || !pathQuery.contains(PREFIX)) {
            return new LinkQuery(pathQuery, List.of());
        }
        var others = new ArrayList<String>();
        var signatures = new ArrayList<String>();
        for (String pair : pathQuery.substring(question + 1).split("&", -1)) {
            if (pair.startsWith(PREFIX)) {
                signatures.add(pair.substring(PREFIX.length()));
            } else {
                others.add(pair);
            }
        }
        String path = pathQuery.substring(0, question);
        return new LinkQuery(others.isEmpty() ? path : path + "?" + String.join("&", others), List.copyOf(signatures));
    }
}
