package dev.caisson.egress;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.Semaphore;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Name;
import org.xbill.DNS.Record;
import org.xbill.DNS.TextParseException;
import org.xbill.DNS.Type;

/// Resolves names at the host's resolvers, and remembers what they said.
///
/// A name is taken as it is: no search domain is tried, no file of hosts is read. Who may ask for what is judged before, what came out after.
/// Threads: safe for many, blocking; meant for virtual ones. Those that ask for the same name at the same time share one question. Cleanup: none.
final class Upstream {
    private static final int MAX_KEPT = 10_000;
    private static final int MAX_IN_FLIGHT = 256;
    static final Duration LONGEST = Duration.ofMinutes(5);
    static final Duration SHORTEST = Duration.ofSeconds(1);
    /// For what is not there, and for half an answer.
    static final Duration NEGATIVE = Duration.ofSeconds(5);

    private record Kept(Resolution resolution, long until) {}

    private final List<InetSocketAddress> servers;
    private final RandomGenerator random;
    private final LongSupplier nanos;
    private final Map<String, FutureTask<Resolution>> running = new ConcurrentHashMap<>();
    private final Semaphore inFlight = new Semaphore(MAX_IN_FLIGHT);
    private final Map<String, Kept> kept = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Kept> eldest) {
            return size() > MAX_KEPT;
        }
    };

    /// @param servers from [NameServers] or an option; the first is asked first, the second when that does not answer; empty means that nothing can be resolved
    /// @param random for ids of questions; one that cannot be guessed, safe for many threads
    Upstream(List<InetSocketAddress> servers, RandomGenerator random) {
        this(servers, random, System::nanoTime);
    }

    /// @param nanos how long answers are kept is told by it
    Upstream(List<InetSocketAddress> servers, RandomGenerator random, LongSupplier nanos) {
        this.servers = List.copyOf(servers);
        this.random = random;
        this.nanos = nanos;
    }

    /// Answers from memory, or asks; within [UpstreamQuestion#PATIENCE] and a little.
    ///
    /// @param name in its one spelling
    Resolution resolve(String name) throws InterruptedException {
        var known = known(name);
        if (known != null) {
            return known.resolution;
        }
        // On a thread of its own: when the first who asked is interrupted, the others still want to know.
        var mine = new FutureTask<>(() -> lookUp(name));
        var others = running.putIfAbsent(name, mine);
        if (others == null) {
            Thread.ofVirtual().name("lookup").start(mine);
        }
        try {
            return (others == null ? mine : others).get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("looking up a name failed", e.getCause());
        }
    }

    private @Nullable Kept known(String name) {
        synchronized (kept) {
            var known = kept.get(name);
            if (known != null && known.until - nanos.getAsLong() <= 0) {
                kept.remove(name);
                return null;
            }
            return known;
        }
    }

    private Resolution lookUp(String name) throws InterruptedException {
        try {
            if (servers.isEmpty() || !inFlight.tryAcquire()) {
                return new Resolution.Failed(servers.isEmpty() ? "this host has no resolver" : MAX_IN_FLIGHT + " names are being looked up already");
            }
            try {
                var resolution = ask(name);
                keep(name, resolution);
                return resolution;
            } finally {
                inFlight.release();
            }
        } finally {
            running.remove(name);
        }
    }

    private void keep(String name, Resolution resolution) {
        var ttl = switch (resolution) {
            case Resolution.Found found -> found.ttl();
            case Resolution.NotThere _ -> NEGATIVE;
            case Resolution.Failed _ -> Duration.ZERO;
        };
        if (ttl.isPositive()) {
            synchronized (kept) {
                kept.put(name, new Kept(resolution, nanos.getAsLong() + ttl.toNanos()));
            }
        }
    }

    private Resolution ask(String name) throws InterruptedException {
        Name absolute;
        try {
            absolute = Name.fromString(name, Name.root);
        } catch (TextParseException e) {
            return new Resolution.Failed("not a name: " + e.getMessage());
        }
        var six = new FutureTask<>(new UpstreamQuestion(servers, Record.newRecord(absolute, Type.AAAA, DClass.IN), random)::ask);
        Thread.ofVirtual().name("lookup-6").start(six);
        var four = new UpstreamQuestion(servers, Record.newRecord(absolute, Type.A, DClass.IN), random).ask();
        try {
            return together(four, six.get());
        } catch (ExecutionException e) {
            throw new IllegalStateException("asking for IPv6 addresses failed", e.getCause());
        }
    }

    /// Of two answers, one with addresses is enough; that there are none is believed only when both say so.
    private static Resolution together(UpstreamAnswer four, UpstreamAnswer six) {
        var addresses = new LinkedHashSet<InetAddress>();
        var aliases = new LinkedHashSet<String>();
        long ttl = LONGEST.toSeconds();
        for (var answer : List.of(four, six)) {
            switch (answer) {
                case UpstreamAnswer.Addresses some -> {
                    addresses.addAll(some.addresses());
                    aliases.addAll(some.aliases());
                    ttl = Math.min(ttl, some.ttl());
                }
                case UpstreamAnswer.NoSuchName _ -> {}
                case UpstreamAnswer.Odd _, UpstreamAnswer.NotOurs _, UpstreamAnswer.Declined _, UpstreamAnswer.Truncated _ -> ttl = Math.min(ttl, NEGATIVE.toSeconds());
            }
        }
        if (!addresses.isEmpty()) {
            return new Resolution.Found(List.copyOf(addresses), List.copyOf(aliases), Duration.ofSeconds(Math.max(ttl, SHORTEST.toSeconds())));
        }
        for (var answer : List.of(four, six)) {
            if (answer instanceof UpstreamAnswer.Odd(String reason)) {
                return new Resolution.Failed(reason);
            }
        }
        return new Resolution.NotThere();
    }
}
