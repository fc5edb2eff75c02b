package dev.caisson.sandbox;

/// How much a sandbox may use of the way out.
///
/// @param connections open at a time, 1 to 10,000
/// @param bytes both ways together, over its whole life; 0 means no bound
/// @param requestsPerSecond connections, HTTP requests and names looked up, each counted, 1 to 10,000; ten seconds' worth may come at once
public record EgressBudget(int connections, ByteSize bytes, int requestsPerSecond) {
    public static final EgressBudget DEFAULT = new EgressBudget(512, new ByteSize(0), 200);
    private static final int MOST = 10_000;

    public EgressBudget {
        if (connections < 1 || connections > MOST) {
            throw Failure.Code.OUT_OF_RANGE.with("egress connections must be 1 to " + MOST + ", got " + connections, "give a number in that range");
        }
        if (requestsPerSecond < 1 || requestsPerSecond > MOST) {
            throw Failure.Code.OUT_OF_RANGE.with("egress requests a second must be 1 to " + MOST + ", got " + requestsPerSecond, "give a number in that range");
        }
    }
}
