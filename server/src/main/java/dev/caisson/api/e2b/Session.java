package dev.caisson.api.e2b;

import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.Optional;
import org.eclipse.jetty.http.HttpHeader;

/// A call to a running sandbox that has shown its right to it.
///
/// @param keepalive longest silence on a stream when the client names none
record Session(Call http, SandboxInfo sandbox, Duration keepalive) {
    /// Who a client is when it names nobody.
    static final String DEFAULT_USER = "user";
    private static final Duration MAX_KEEPALIVE = Duration.ofHours(1);

    SandboxId id() {
        return sandbox.id();
    }

    /// The guest's user that the client named by basic authentication, without a password.
    ///
    /// Errors: [RpcCode#UNAUTHENTICATED] when it cannot be understood.
    String user() {
        String header = http.header(HttpHeader.AUTHORIZATION.asString());
        if (!header.regionMatches(true, 0, "Basic ", 0, 6)) {
            return DEFAULT_USER;
        }
        try {
            String pair = new String(Base64.getDecoder().decode(header.substring(6).strip()), StandardCharsets.UTF_8);
            int colon = pair.indexOf(':');
            String user = colon < 0 ? pair : pair.substring(0, colon);
            return user.isEmpty() ? DEFAULT_USER : user;
        } catch (IllegalArgumentException _) {
            throw new RpcException(RpcCode.UNAUTHENTICATED, "the header Authorization is not basic authentication");
        }
    }

    /// After how much silence the client wants to hear something.
    Duration silence() {
        String wanted = http.header("Keepalive-Ping-Interval");
        if (!wanted.matches("[1-9][0-9]{0,5}")) {
            return keepalive;
        }
        Duration interval = Duration.ofSeconds(Long.parseLong(wanted));
        return interval.compareTo(MAX_KEEPALIVE) > 0 ? MAX_KEEPALIVE : interval;
    }

    /// For how long the client will wait; empty means for ever.
    Optional<Duration> timeout() {
        String millis = http.header("Connect-Timeout-Ms");
        if (millis.isEmpty()) {
            return Optional.empty();
        }
        if (!millis.matches("[0-9]{1,10}")) {
            throw new RpcException(RpcCode.INVALID_ARGUMENT, "the header Connect-Timeout-Ms is not a number of milliseconds");
        }
        return Optional.of(Duration.ofMillis(Math.max(1, Long.parseLong(millis))));
    }
}
