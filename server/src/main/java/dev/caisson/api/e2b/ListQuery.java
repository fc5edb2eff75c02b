package dev.caisson.api.e2b;

import dev.caisson.api.Query;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxState;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Which sandboxes a list is asked for, in which order, and from where on.
///
/// @param after where the page before ended
record ListQuery(Map<String, String> metadata, Set<SandboxState> states, Optional<Instant> startedAfter, Optional<String> template, boolean oldestFirst, int limit, Optional<Place> after) {
    private static final int MAX_PAGE = 100;

    /// A sandbox's place in the order: when it began and its id, so that it means something when that sandbox is gone.
    record Place(Instant created, String id) {
        static Place of(SandboxInfo info) {
            return new Place(info.created(), info.id().value());
        }

        static Place parse(String text) {
            int underscore = text.indexOf('_');
            try {
                if (underscore > 0) {
                    return new Place(Instant.parse(text.substring(0, underscore)), text.substring(underscore + 1));
                }
            } catch (DateTimeParseException _) {
                // Refused below.
            }
            throw new Refusal(400, "nextToken is not one of this server: '" + Failure.shown(text) + "'");
        }

        @Override
        public String toString() {
            return created + "_" + id;
        }
    }

    private static final Comparator<Place> ORDER = Comparator.comparing(Place::created).thenComparing(Place::id);

    /// @param states when the query names none
    static ListQuery parse(Query query, Set<SandboxState> states) {
        return new ListQuery(
                query.text("metadata").map(ListQuery::metadata).orElse(Map.of()),
                query.all("state").isEmpty() ? states : states(query.all("state")),
                query.text("startedAfter").map(ListQuery::time),
                query.text("template"),
                switch (query.text("order").orElse("desc")) {
                    case "asc" -> true;
                    case "desc" -> false;
                    default -> throw new Refusal(400, "order must be asc or desc");
                },
                (int) query.whole("limit", 1, MAX_PAGE, MAX_PAGE),
                query.text("nextToken").filter(token -> !token.isEmpty()).map(Place::parse));
    }

    /// `k=v&k2=v2`, encoded as a whole once more than the query itself, and its names and values once more than that: so clients send it.
    private static Map<String, String> metadata(String text) {
        var wanted = new HashMap<String, String>();
        for (String pair : decoded(text).split("&")) {
            if (pair.isEmpty()) {
                continue;
            }
            int equals = pair.indexOf('=');
            if (equals < 0) {
                throw new Refusal(400, "metadata is not of the form name=value&name=value");
            }
            wanted.put(decoded(pair.substring(0, equals)), decoded(pair.substring(equals + 1)));
        }
        return wanted;
    }

    private static String decoded(String text) {
        try {
            return URLDecoder.decode(text, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException _) {
            throw new Refusal(400, "metadata is not encoded as a query is");
        }
    }

    private static Set<SandboxState> states(List<String> lists) {
        var states = EnumSet.noneOf(SandboxState.class);
        lists.stream().flatMap(list -> Arrays.stream(list.split(","))).forEach(state -> states.add(switch (state) {
            case "running" -> SandboxState.RUNNING;
            case "paused" -> SandboxState.PAUSED;
            default -> throw new Refusal(400, "state must be running or paused, not '" + Failure.shown(state) + "'");
        }));
        return states;
    }

    private static Instant time(String text) {
        try {
            return Instant.parse(text);
        } catch (DateTimeParseException _) {
            throw new Refusal(400, "startedAfter is not a time: '" + Failure.shown(text) + "'");
        }
    }

    /// One more than a page, if there is one more.
    List<SandboxInfo> choose(List<SandboxInfo> all) {
        Comparator<Place> order = oldestFirst ? ORDER : ORDER.reversed();
        return all.stream()
                .filter(info -> states.contains(info.state()))
                .filter(info -> Metadata.ofLabels(info.spec().labels()).entrySet().containsAll(metadata.entrySet()))
                .filter(info -> startedAfter.isEmpty() || info.created().isAfter(startedAfter.get()))
                .filter(info -> template.isEmpty() || CreateRequest.template(template.get()).equals(info.spec().template()))
                .filter(info -> after.isEmpty() || order.compare(after.get(), Place.of(info)) < 0)
                .sorted(Comparator.comparing(Place::of, order))
                .limit(limit + 1L)
                .toList();
    }
}
