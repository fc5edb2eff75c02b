package dev.caisson.microvm;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;

/// Several things at the same time, each on a thread of its own.
final class AtOnce {
    private AtOnce() {}

    /// What came of each, in the same order, when all have ended; the first failure is thrown.
    static <T> List<T> all(List<? extends Callable<T>> calls) throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var results = new ArrayList<T>();
            for (var done : threads.invokeAll(calls)) {
                results.add(done.get());
            }
            return results;
        }
    }
}
