package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.EgressTarget;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.HttpMatch;
import dev.caisson.sandbox.SandboxException;
import java.net.InetAddress;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ReplayTest {
    private static final EgressRule READ = new EgressRule(
            "", EgressRule.Action.ALLOW, EgressTarget.parse("api.example"), EgressRule.WEB, EgressRule.SEEN, List.of(new HttpMatch(Set.of("GET"), List.of())), false);
    private final Judge judge = new Judge(new Egress(
            List.of(new EgressLayer("request", EgressLayer.Mode.LIST, List.of(
                    READ, EgressRule.allow("a.example"), EgressRule.allow("git.example:22/tcp"), EgressRule.allow("192.0.2.0/24"), EgressRule.deny("b.example")))),
            EgressBudget.DEFAULT, List.of()));

    @Test
    void judgesEachKindOfAttempt() {
        same(flow("a.example", "198.51.100.7", 443, "tls", "", true, "r"), "request:2");
        same(flow("api.example", "", 443, "tls", "GET /x", true, "r"), "request:1");
        same(flow("git.example", "198.51.100.7", 22, "tcp", "", true, "r"), "request:3");
        same(flow("", "192.0.2.7", 9, "tcp", "", true, "r"), "request:4");
        same(flow("A.example.", "", 0, "dns", "", true, "r"), "request:2");
        changes(flow("api.example", "", 443, "tls", "POST /x", true, "r"), "request:default");
        changes(flow("b.example", "", 443, "tls", "", true, "r"), "request:5");
        changes(flow("b.example", "", 0, "dns", "", true, "r"), "request:5");
        changes(flow("c.example", "", 0, "dns", "", true, "r"), "request:default");
        changes(flow("a.example", "10.0.0.1", 443, "tls", "", true, "r"), "request:default");
        changes(flow("a.example", "", 443, "tcp", "", true, "r"), "request:2");
        changes(flow("", "198.51.100.7", 9, "tcp", "", true, "r"), "request:default");
        changes(flow("", "192.0.2.7", 9, "tcp", "", false, "no rule of layer request allows 192.0.2.7 at port 9"), "request:4");
        changes(flow("a.example", "", 443, "tls", "", false, "denied: a.example"), "request:2");
        // What the sandbox saw, not what was dialed.
        changes(flow("a.example", "198.18.0.7", 443, "tls", "", false, "denied: a.example"), "request:2");
    }

    @Test
    void whatNoRuleRefusedIsRefusedAgain() {
        for (Flow flow : List.of(
                flow("a.example", "", 443, "tls", "", false, "its budget of connections is spent"), flow("a.example", "", 0, "dns", "", false, "there is no such name"),
                flow("a.example", "", 443, "tls", "", false, "the TLS hello names no server"), flow("", "192.0.2.7", 9, "udp", "", false, "no way out"), flow("", "192.0.2.7", 0, "47", "", false, ""))) {
            assertThat(only(flow).changes()).as(flow.toString()).isFalse();
        }
    }

    /// The reasons of the judge, as the log has them, are taken for what they are.
    @Test
    void whatARuleRefusedIsJudgedAgain() {
        var none = new Judge(Egress.NONE);
        var deny = new Judge(new Egress(List.of(new EgressLayer("request", EgressLayer.Mode.OPEN, List.of(EgressRule.deny("a.example"), EgressRule.deny("192.0.2.0/24")))), EgressBudget.DEFAULT, List.of()));
        var list = new Judge(new Egress(List.of(new EgressLayer("request", EgressLayer.Mode.LIST, List.of(READ, EgressRule.allow("198.51.100.0/24")))), EgressBudget.DEFAULT, List.of()));
        for (Judge before : List.of(none, deny, list)) {
            assertThat(reason(before.connect("a.example", 443))).satisfies(reason -> changes(flow("a.example", "", 443, "tls", "", false, reason), "request:2"));
            assertThat(before.lookUp("a.example").reason()).satisfies(reason -> changes(flow("a.example", "", 0, "dns", "", false, reason), "request:2"));
            assertThat(reason(before.connect(InetAddress.ofLiteral("192.0.2.7"), 9))).satisfies(reason -> changes(flow("", "192.0.2.7", 9, "tcp", "", false, reason), "request:4"));
        }
        changes(flow("api.example", "", 443, "tls", "GET /x", false, list.request("api.example", 443, EgressProtocol.TLS, "POST", "/x").reason()), "request:1");
        changes(flow("git.example", "", 22, "tcp", "", false, "tcp is not allowed there"), "request:3");
    }

    @Test
    void countsWhatIsAlike() {
        var replay = new Replay(judge);
        replay.add(flow("b.example", "198.51.100.7", 443, "tls", "", true, "r"));
        replay.add(flow("b.example", "198.51.100.8", 443, "tls", "", true, "r"));
        replay.add(flow("b.example", "198.51.100.8", 80, "http", "", true, "r"));
        assertThat(replay.outcomes()).hasSize(2);
        assertThat(replay.outcomes().getFirst().getValue()).isEqualTo(new Replay.Total(4, 60));
    }

    @Test
    void refusesWhatNoGatewayWrote() {
        for (Flow bad : List.of(
                flow("a..example", "", 443, "tls", "", true, "r"), flow("", "localhost", 443, "tls", "", true, "r"), flow("a.example", "192.0.2.7/24", 443, "tls", "", true, "r"),
                flow("api.example", "", 443, "tls", "GET", true, "r"))) {
            assertThatThrownBy(() -> new Replay(judge).add(bad)).as(bad.toString()).isInstanceOf(SandboxException.class);
        }
    }

    private static String reason(Admission admission) {
        return admission instanceof Admission.Refused(_, String reason) ? reason : "";
    }

    private Replay.Outcome only(Flow flow) {
        var replay = new Replay(judge);
        replay.add(flow);
        return replay.outcomes().getFirst().getKey();
    }

    private void same(Flow flow, String rule) {
        assertThat(only(flow).changes()).as(flow.toString()).isFalse();
        assertThat(only(flow).now().rule()).isEqualTo(rule);
    }

    private void changes(Flow flow, String rule) {
        assertThat(only(flow).changes()).as(flow.toString()).isTrue();
        assertThat(only(flow).now().rule()).isEqualTo(rule);
    }

    private static Flow flow(String host, String address, int port, String protocol, String request, boolean allowed, String reason) {
        return new Flow(1, Instant.EPOCH, Instant.EPOCH, host, address, port, protocol, request, "request:9", allowed, allowed ? "" : reason, 10, 20, 2);
    }
}
