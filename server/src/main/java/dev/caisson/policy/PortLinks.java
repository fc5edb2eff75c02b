package dev.caisson.policy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxId;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.regex.Pattern;

/// Signed links: whoever holds one may reach one port of one sandbox until a time. Nothing is remembered, so one cannot be taken back; it ends with its
/// sandbox at the latest, because ids are never used again.
///
/// Shape: `<seconds since 1970>.<43 characters of A-Z a-z 0-9 - _>`.
/// Threads: safe for many.
public final class PortLinks {
    public static final Duration DEFAULT_TIME = Duration.ofHours(1);
    public static final Duration MIN_TIME = Duration.ofSeconds(1);
    public static final Duration MAX_TIME = Duration.ofHours(24);
    private static final Pattern SHAPE = Pattern.compile("([1-9][0-9]{0,11})\\.[A-Za-z0-9_-]{43}");

    private final SandboxTokens tokens;
    private final InstantSource clock;

    public PortLinks(SandboxTokens tokens, InstantSource clock) {
        this.tokens = tokens;
        this.clock = clock;
    }

    /// @param signature goes into the URL
    /// @param expires a whole second
    public record Link(String signature, Instant expires) {}

    /// A link that is good for so long.
    ///
    /// Errors: [Failure.Code#OUT_OF_RANGE].
    public Link make(SandboxId sandbox, int port, Duration time) {
        if (time.compareTo(MIN_TIME) < 0 || time.compareTo(MAX_TIME) > 0) {
            throw Failure.Code.OUT_OF_RANGE.with("a link is good for 1 second to 24 hours, got " + time.toSeconds() + " s", "ask for a time in that range");
        }
        long until = clock.instant().plus(time).getEpochSecond();
        return new Link(until + "." + sealed(sandbox, port, until), Instant.ofEpochSecond(until));
    }

    /// How long a stranger's signature is still good for this port; zero when it is not.
    public Duration left(String signature, SandboxId sandbox, int port) {
        var shape = SHAPE.matcher(signature);
        if (!shape.matches()) {
            return Duration.ZERO;
        }
        long until = Long.parseLong(shape.group(1));
        byte[] expected = sealed(sandbox, port, until).getBytes(StandardCharsets.US_ASCII);
        boolean ours = MessageDigest.isEqual(signature.substring(shape.end(1) + 1).getBytes(StandardCharsets.US_ASCII), expected);
        var left = Duration.between(clock.instant(), Instant.ofEpochSecond(until));
        return ours && left.isPositive() ? left : Duration.ZERO;
    }

    private String sealed(SandboxId sandbox, int port, long until) {
        return tokens.seal("link:" + sandbox.value() + ":" + port + ":" + until);
    }
}
