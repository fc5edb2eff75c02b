package dev.caisson.wayout;

import static dev.caisson.wayout.Probes.probe;
import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// The narrower of several parties' wishes wins, and what was refused says whose it was.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class LayersTest {
    @RegisterExtension
    static final Installation CAISSON = Installation.inAnInternet();

    private static Egress layers(EgressLayer... layers) {
        return new Egress(List.of(layers), EgressBudget.DEFAULT, List.of());
    }

    private static EgressLayer layer(String name, Egress of) {
        return new EgressLayer(name, of.layers().getFirst().mode(), of.layers().getFirst().rules());
    }

    @Test
    void whatOneDeniesNoOtherAllows() throws Exception {
        var probes = Probes.in(CAISSON, Tier.CONTAINER, layers(layer("request", Rules.hosts("allowed.example", "api.allowed.example", "fronted.example")),
                layer("tenant", Rules.open(Rules.deny("fronted.example").withName("no-fronts"))), layer("operator", Rules.hosts("*.allowed.example", "allowed.example"))));
        int then = CAISSON.internet().now();
        assertThat(probes.make("http", "allowed.example", 80, Probes.get("allowed.example", "/")).got()).startsWith("HTTP/1.1 200");
        assertThat(probes.make("http", "api.allowed.example", 80, Probes.get("api.allowed.example", "/")).got()).startsWith("HTTP/1.1 200");
        assertThat(probes.make(List.of(probe("dns", "fronted.example", "A"), probe("dns", "a.b.allowed.example", "A"), probe("dns", "denied.example", "A")))).allMatch(outcome -> outcome.got().equals("rcode=3 "));
        assertThat(probes.make(List.of(probe("opens", "8.8.8.8", 80), probe("opens", "10.0.0.1", 80)))).noneMatch(Outcome::ok);
        assertThat(CAISSON.internet().questions(then)).isSubsetOf("allowed.example", "api.allowed.example");
        assertThat(CAISSON.internet().visitors(then)).isEmpty();
        var flows = CAISSON.node().flows(probes.id(), 0, 1000);
        assertThat(flows).filteredOn(flow -> flow.host().equals("fronted.example")).isNotEmpty().extracting(Flow::rule).containsOnly("tenant:no-fronts");
        assertThat(flows).filteredOn(flow -> flow.host().equals("a.b.allowed.example")).isNotEmpty().extracting(Flow::rule).containsOnly("request:default");
    }

    @Test
    void aPrivateNetworkNeedsEveryLayersWord() throws Exception {
        var one = Probes.in(CAISSON, Tier.CONTAINER, layers(layer("request", Rules.list(Rules.raw("10.0.0.0/8"))), layer("operator", Rules.open())));
        int then = CAISSON.internet().now();
        assertThat(one.make("tcp", "10.0.0.1", 80, "x").got()).isEmpty();
        assertThat(CAISSON.internet().visitors(then)).isEmpty();
        var other = Probes.in(CAISSON, Tier.CONTAINER, layers(layer("request", Rules.list(Rules.raw("10.0.0.0/8"))), layer("operator", Rules.open(Rules.raw("10.0.0.0/24")))));
        assertThat(other.make("tcp", "10.0.0.1", 80, "x").got()).isEqualTo("SINK\n");
        assertThat(other.make("tcp", "10.1.0.1", 80, "x").got()).isEmpty();
    }
}
