package dev.caisson.egress;

import dev.caisson.sandbox.AddressKind;
import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.HostPattern;
import java.net.InetAddress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/// Judges what was tried once by other rules than those of then.
///
/// What was refused for another reason than its rules (a spent budget, a name that does not exist, a lying TLS hello) would be refused again, and so would what no rule
/// can let out.
public final class Replay {
    private static final Pattern BY_RULES = Pattern.compile("denied: .*|nothing may leave by layer .*|.*no rule of layer .*|.* not allowed t?here|.* need a rule for tcp|.* is a cloud's metadata service");

    private final Judge judge;
    private final Map<Outcome, Total> totals = new LinkedHashMap<>();

    public Replay(Judge judge) {
        this.judge = judge;
    }

    /// One kind of attempt, then and now.
    ///
    /// @param place the host, or the address where there was no name
    /// @param ruleBefore that decided then
    public record Outcome(String place, int port, String protocol, String request, boolean before, String ruleBefore, Decision now) {
        public boolean changes() {
            return before != now.allowed();
        }
    }

    /// @param count of attempts
    /// @param bytes both ways together
    public record Total(long count, long bytes) {
        Total plus(Flow flow) {
            return new Total(count + flow.count(), bytes + flow.sent() + flow.received());
        }
    }

    /// Errors: [Failure.Code#BAD_REQUEST] for one that no gateway wrote.
    public void add(Flow flow) {
        String host = flow.host().isEmpty() ? "" : HostPattern.normal(flow.host());
        var outcome = new Outcome(host.isEmpty() ? flow.address() : host, flow.port(), flow.protocol(), flow.request(), flow.allowed(), flow.rule(), now(flow, host));
        totals.put(outcome, totals.getOrDefault(outcome, new Total(0, 0)).plus(flow));
    }

    /// In the order in which they were first seen.
    public List<Map.Entry<Outcome, Total>> outcomes() {
        return List.copyOf(totals.entrySet());
    }

    private Decision now(Flow flow, String host) {
        var asItWas = new Decision(flow.allowed(), flow.rule(), flow.reason());
        if (!flow.allowed() && !BY_RULES.matcher(flow.reason()).matches()) {
            return asItWas;
        }
        return switch (flow.protocol()) {
            case "dns" -> host.isEmpty() ? asItWas : judge.lookUp(host);
            case "tls", "http", "tcp" -> {
                var address = address(flow);
                yield flow.port() == 0 || host.isEmpty() && address.isEmpty() ? asItWas : connection(flow, host, address);
            }
            default -> asItWas;
        };
    }

    private Decision connection(Flow flow, String host, Optional<InetAddress> address) {
        Admission admission = host.isEmpty() ? judge.connect(address.orElseThrow(), flow.port())
                : address.map(resolved -> judge.dial(host, resolved, flow.port())).orElseGet(() -> judge.connect(host, flow.port()));
        var protocol = EgressProtocol.parse(flow.protocol());
        return switch (admission) {
            case Admission.Refused(String rule, String reason) -> Decision.deny(rule, reason);
            case Admission.Admitted it when it.raw() -> Decision.allow(it.rule());
            case Admission.Admitted it when !it.protocols().contains(protocol) -> Decision.deny(it.rule(), flow.protocol() + " is not allowed there");
            case Admission.Admitted it -> host.isEmpty() || flow.request().isEmpty() ? Decision.allow(it.rule()) : request(flow, host, protocol);
        };
    }

    private Decision request(Flow flow, String host, EgressProtocol protocol) {
        int space = flow.request().indexOf(' ');
        if (space < 1) {
            throw Failure.Code.BAD_REQUEST.with("flow " + flow.number() + " has a request without a path: '" + Failure.shown(flow.request()) + "'", "take the log as it was written");
        }
        return judge.request(host, flow.port(), protocol, flow.request().substring(0, space), flow.request().substring(space + 1));
    }

    /// Where it was dialed; not an address that stood for the name inside the sandbox.
    private static Optional<InetAddress> address(Flow flow) {
        try {
            return flow.address().isEmpty() ? Optional.empty()
                    : Optional.of(InetAddress.ofLiteral(flow.address())).filter(address -> flow.host().isEmpty() || AddressKind.of(address) != AddressKind.OWN);
        } catch (IllegalArgumentException e) {
            throw Failure.Code.BAD_REQUEST.with("flow " + flow.number() + " has no address but '" + Failure.shown(flow.address()) + "'", "take the log as it was written", e);
        }
    }
}
