package dev.caisson.egress;

import dev.caisson.sandbox.EgressBudget;

/// What one sandbox has used of its budget.
///
/// Threads: safe for many.
final class Spending {
    private static final long BURST_SECONDS = 10;
    private static final double NANOS = 1e9;

    private EgressBudget budget;
    private int connections;
    private long bytes;
    private double tokens;
    private long refilledNanos;

    /// @param bytes used before, by an earlier gateway
    /// @param nowNanos as [System#nanoTime] says
    Spending(EgressBudget budget, long bytes, long nowNanos) {
        this.budget = budget;
        this.bytes = bytes;
        this.tokens = (double) budget.requestsPerSecond() * BURST_SECONDS;
        this.refilledNanos = nowNanos;
    }

    synchronized void change(EgressBudget other) {
        budget = other;
        tokens = Math.min(tokens, (double) other.requestsPerSecond() * BURST_SECONDS);
    }

    /// Counts a connection, a request or a question; false when there were too many.
    synchronized boolean request(long nowNanos) {
        double most = (double) budget.requestsPerSecond() * BURST_SECONDS;
        tokens = Math.min(most, tokens + (nowNanos - refilledNanos) / NANOS * budget.requestsPerSecond());
        refilledNanos = nowNanos;
        if (tokens < 1) {
            return false;
        }
        tokens--;
        return true;
    }

    /// Takes room for an open connection; false when there is none.
    synchronized boolean open() {
        if (connections >= budget.connections()) {
            return false;
        }
        connections++;
        return true;
    }

    /// How many are open.
    synchronized int connections() {
        return connections;
    }

    synchronized void closed() {
        connections--;
    }

    /// Counts bytes; false when they are more than may pass.
    synchronized boolean bytes(long more) {
        if (isSpent() || budget.bytes().bytes() > 0 && bytes + more > budget.bytes().bytes()) {
            bytes = Math.max(bytes, budget.bytes().bytes());
            return false;
        }
        bytes += more;
        return true;
    }

    synchronized boolean isSpent() {
        return budget.bytes().bytes() > 0 && bytes >= budget.bytes().bytes();
    }

    synchronized long bytes() {
        return bytes;
    }
}
