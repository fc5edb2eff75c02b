package dev.caisson.api.e2b;

import dev.caisson.api.RateLimit;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/// Turns whatever went wrong into a refusal, and writes down what is our own fault.
///
/// Threads: safe for many.
final class Faults {
    private static final System.Logger LOG = System.getLogger(Faults.class.getName());
    private final RateLimit logged = new RateLimit(10);
    private final AtomicLong count = new AtomicLong();

    Refusal refusal(Exception e) {
        return switch (e) {
            case Refusal refusal -> refusal;
            case SandboxException known -> {
                if (known.code().category() == Failure.Category.BUG) {
                    write(e);
                }
                yield Refusal.of(known);
            }
            case IOException broken when broken.getCause() instanceof TimeoutException -> new Refusal(408, "the body stopped coming");
            case IOException _ -> new Refusal(400, "the body broke off");
            case InterruptedException _ -> new Refusal(503, "this server is stopping");
            default -> new Refusal(500, "something went wrong in the server itself (fault " + write(e) + ")");
        };
    }

    private long write(Exception e) {
        long number = count.incrementAndGet();
        logged.allow().ifPresent(held -> LOG.log(System.Logger.Level.WARNING, "door=e2b fault=" + number + " held_back=" + held, e));
        return number;
    }
}
