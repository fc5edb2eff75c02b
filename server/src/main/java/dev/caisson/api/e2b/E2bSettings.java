package dev.caisson.api.e2b;

import dev.caisson.sandbox.Failure;
import java.time.Duration;
import java.util.Optional;

/// How the door was told to behave.
///
/// @param internet what becomes of a wish for the whole internet where the operator has not consented to it
/// @param ports who may reach a sandbox's ports when its maker does not say
/// @param domain under which ports of sandboxes are reached as `<port>-<id>.<domain>`; may end in `:port`; empty leaves it to the client
/// @param keepalive longest silence on a stream when the client names none. 1 second to 1 hour
public record E2bSettings(Internet internet, Ports ports, Optional<String> domain, Duration keepalive) {
    public static final E2bSettings DEFAULT = new E2bSettings(Internet.REFUSE, Ports.PRIVATE, Optional.empty(), Duration.ofSeconds(50));

    public E2bSettings at(Optional<String> domain) {
        return new E2bSettings(internet, ports, domain, keepalive);
    }

    public E2bSettings with(Internet internet) {
        return new E2bSettings(internet, ports, domain, keepalive);
    }

    public E2bSettings with(Ports ports) {
        return new E2bSettings(internet, ports, domain, keepalive);
    }

    /// Who may reach the ports of a sandbox whose maker does not say.
    public enum Ports {
        /// Whoever has its traffic token, its access token, or a signed link.
        PRIVATE,
        /// Everybody who knows its name, as with E2B.
        PUBLIC;

        public static Ports parse(String text) {
            return switch (text) {
                case "private" -> PRIVATE;
                case "public" -> PUBLIC;
                default -> throw Failure.Code.BAD_REQUEST.with("--e2b-ports cannot be '" + Failure.shown(text) + "'", "choose private or public");
            };
        }
    }

    /// What becomes of a wish for the whole internet where the operator has not consented to it.
    public enum Internet {
        /// It is an error that says so.
        REFUSE,
        /// It is passed over: the sandbox is made, without internet.
        IGNORE;

        public static Internet parse(String text) {
            return switch (text) {
                case "refuse" -> REFUSE;
                case "ignore" -> IGNORE;
                default -> throw Failure.Code.BAD_REQUEST.with("--e2b-internet cannot be '" + Failure.shown(text) + "'", "choose refuse or ignore");
            };
        }
    }
}
