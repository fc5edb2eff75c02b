package dev.caisson.api.rest;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/// Counts requests by route and status, and how long they took. Bounded: routes and statuses are few, and what matches no route is one.
///
/// Threads: safe for many.
final class RequestMetrics {
    /// Upper bounds of the buckets; the last has none. Unit: milliseconds.
    static final long[] BUCKETS_MILLIS = {1, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 30_000};

    record Series(String method, String route, int status) implements Comparable<Series> {
        @Override
        public int compareTo(Series other) {
            int order = route.compareTo(other.route);
            order = order != 0 ? order : method.compareTo(other.method);
            return order != 0 ? order : Integer.compare(status, other.status);
        }
    }

    static final class Figures {
        final LongAdder[] buckets = new LongAdder[BUCKETS_MILLIS.length + 1];
        final LongAdder nanos = new LongAdder();

        Figures() {
            for (int i = 0; i < buckets.length; i++) {
                buckets[i] = new LongAdder();
            }
        }
    }

    private final ConcurrentHashMap<Series, Figures> series = new ConcurrentHashMap<>();

    void count(String method, String route, int status, long nanos) {
        Figures figures = series.computeIfAbsent(new Series(method, route, status), _ -> new Figures());
        int bucket = 0;
        while (bucket < BUCKETS_MILLIS.length && nanos > BUCKETS_MILLIS[bucket] * 1_000_000) {
            bucket++;
        }
        figures.buckets[bucket].increment();
        figures.nanos.add(nanos);
    }

    Map<Series, Figures> all() {
        return new TreeMap<>(series);
    }
}
