package dev.caisson.egress;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.EgressTarget;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.HttpMatch;
import dev.caisson.sandbox.PortRange;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SecretBinding;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// What holds for all rules, tried on many made by chance from a small world, in which they often meet.
class JudgeLawsTest {
    private static final List<String> HOSTS = List.of("a.x.example", "b.x.example", "x.example", "c.test");
    private static final List<String> TARGETS = List.of("a.x.example", "b.x.example", "x.example", "*.x.example", "*.b.x.example", "c.test", "192.0.2.0/24", "192.0.2.7", "10.0.0.0/8", "10.1.2.3", "0.0.0.0/0", "2001:db8::/32");
    private static final List<InetAddress> ADDRESSES = Stream.of("192.0.2.7", "192.0.2.8", "10.1.2.3", "10.2.2.3", "198.51.100.7", "2001:db8::7", "64:ff9b::a01:203", "127.0.0.1").map(InetAddress::ofLiteral).toList();
    private static final List<Integer> PORTS = List.of(1, 2, 3, 4, 442, 443, 444, 65_535);
    private static final List<String> METHODS = List.of("GET", "POST");
    private static final List<String> PATHS = List.of("/", "/a", "/a/b");
    private static final int ROUNDS = 200;

    @Test
    void anotherLayerNeverWidens() {
        var random = new Random(1);
        int narrowed = 0;
        for (int i = 0; i < ROUNDS; i++) {
            var layers = layers(random, 1 + random.nextInt(3));
            var more = new ArrayList<>(layers);
            more.add(layer(random, "more"));
            var secrets = secrets(random);
            var one = new Judge(new Egress(layers, EgressBudget.DEFAULT, secrets));
            var other = new Judge(new Egress(more, EgressBudget.DEFAULT, secrets));
            var before = everything(one);
            var after = everything(other);
            assertThat(before.containsAll(after)).as("%s and then %s", layers, more.getLast()).isTrue();
            narrowed += before.size() > after.size() ? 1 : 0;
        }
        assertThat(narrowed).isGreaterThan(ROUNDS / 10);
    }

    @Test
    void theOrderOfTheOtherLayersIsAllTheSame() {
        var random = new Random(2);
        for (int i = 0; i < ROUNDS; i++) {
            var layers = layers(random, 3);
            var turned = List.of(layers.get(0), layers.get(2), layers.get(1));
            var secrets = secrets(random);
            assertThat(everything(new Judge(new Egress(layers, EgressBudget.DEFAULT, secrets)))).isEqualTo(everything(new Judge(new Egress(turned, EgressBudget.DEFAULT, secrets))));
        }
    }

    @Test
    void aNameIsLookedUpExactlyWhenSomethingMayBeSaidToIt() {
        var random = new Random(3);
        int yes = 0;
        for (int i = 0; i < ROUNDS; i++) {
            var judge = judge(random);
            for (String host : HOSTS) {
                boolean reachable = PORTS.stream().anyMatch(port -> !Judge.protocols(judge.connect(host, port)).isEmpty());
                assertThat(judge.mayLookUp(host)).as("%s by %s", host, judge.egress()).isEqualTo(reachable);
                yes += reachable ? 1 : 0;
            }
        }
        assertThat(yes).isBetween(ROUNDS / 10, HOSTS.size() * ROUNDS - ROUNDS / 10);
    }

    /// What is not looked into must not hold what would have been denied.
    @Test
    void whatGoesThroughUnseenHasNothingInItThatIsDenied() {
        var random = new Random(4);
        int unseen = 0;
        for (int i = 0; i < ROUNDS; i++) {
            var judge = judge(random);
            for (String host : HOSTS) {
                for (int port : PORTS) {
                    if (judge.connect(host, port) instanceof Admission.Admitted it) {
                        assertThat(it.inspect() && it.raw()).isFalse();
                        assertThat(it.raw() && it.protocols().size() < EgressProtocol.values().length).as("raw is everything").isFalse();
                        if (it.raw() || it.protocols().contains(EgressProtocol.TLS) && !it.inspect()) {
                            unseen++;
                            assertThat(requests(judge, host, port, EgressProtocol.TLS)).as("%s at %s by %s", host, port, judge.egress()).hasSize(METHODS.size() * PATHS.size());
                        }
                        if (it.raw()) {
                            assertThat(requests(judge, host, port, EgressProtocol.HTTP)).hasSize(METHODS.size() * PATHS.size());
                        }
                    }
                }
            }
        }
        assertThat(unseen).isGreaterThan(ROUNDS);
    }

    @Test
    void aRequestIsOnlyAllowedWhereItsConnectionIs() {
        var random = new Random(5);
        for (int i = 0; i < ROUNDS; i++) {
            var judge = judge(random);
            for (String host : HOSTS) {
                for (int port : PORTS) {
                    for (var protocol : EgressRule.SEEN) {
                        if (!requests(judge, host, port, protocol).isEmpty()) {
                            assertThat(Judge.protocols(judge.connect(host, port))).as("%s at %s by %s", host, port, judge.egress()).contains(protocol);
                        }
                    }
                }
            }
        }
    }

    @Test
    void dialingNeverAllowsMoreThanTheName() {
        var random = new Random(6);
        for (int i = 0; i < ROUNDS; i++) {
            var judge = judge(random);
            for (String host : HOSTS) {
                for (int port : PORTS) {
                    for (InetAddress address : ADDRESSES) {
                        assertThat(Judge.protocols(judge.connect(host, port)).containsAll(Judge.protocols(judge.dial(host, address, port)))).as("%s at %s by %s", host, address, judge.egress()).isTrue();
                    }
                }
            }
        }
    }

    /// Against the plainest way to say it, for rules without requests.
    @Test
    void theFirstRuleThatFitsDecides() {
        var random = new Random(7);
        for (int i = 0; i < ROUNDS; i++) {
            var layer = layer(random, "request");
            if (layer.rules().stream().anyMatch(rule -> !rule.http().isEmpty() || rule.inspect())) {
                continue;
            }
            var judge = new Judge(new Egress(List.of(layer), EgressBudget.DEFAULT, List.of()));
            for (String host : HOSTS) {
                for (int port : PORTS) {
                    for (EgressProtocol protocol : EgressRule.SEEN) {
                        Optional<EgressRule> first = layer.rules().stream()
                                .filter(rule -> rule.target() instanceof EgressTarget.Host(var pattern) && pattern.fits(host) && rule.fitsPort(port))
                                .filter(rule -> rule.protocols().contains(protocol) || rule.action() == EgressRule.Action.ALLOW && rule.protocols().contains(EgressProtocol.TCP))
                                .findFirst();
                        boolean allowed = first.map(rule -> rule.action() == EgressRule.Action.ALLOW).orElse(layer.mode() == EgressLayer.Mode.OPEN);
                        assertThat(Judge.protocols(judge.connect(host, port)).contains(protocol)).as("%s %s %s by %s", host, port, protocol, layer).isEqualTo(allowed);
                    }
                }
            }
        }
    }

    private static List<String> requests(Judge judge, String host, int port, EgressProtocol protocol) {
        return METHODS.stream().flatMap(method -> PATHS.stream().filter(path -> judge.request(host, port, protocol, method, path).allowed()).map(path -> method + " " + path)).toList();
    }

    /// All that may happen in this world.
    private static Set<String> everything(Judge judge) {
        var all = new HashSet<String>();
        for (int port : PORTS) {
            for (String host : HOSTS) {
                Judge.protocols(judge.connect(host, port)).forEach(protocol -> all.add(host + " " + port + " " + protocol));
                for (var protocol : EgressRule.SEEN) {
                    requests(judge, host, port, protocol).forEach(request -> all.add(host + " " + port + " " + protocol + " " + request));
                }
                for (InetAddress address : ADDRESSES) {
                    Judge.protocols(judge.dial(host, address, port)).forEach(protocol -> all.add(host + " " + address + " " + port + " " + protocol));
                }
            }
            for (InetAddress address : ADDRESSES) {
                Judge.protocols(judge.connect(address, port)).forEach(protocol -> all.add(address + " " + port + " " + protocol));
                for (var protocol : EgressRule.SEEN) {
                    HOSTS.stream().filter(host -> judge.seen(host, address, port, protocol).allowed()).forEach(host -> all.add("seen " + host + " " + address + " " + port + " " + protocol));
                }
            }
        }
        for (String host : HOSTS) {
            if (judge.mayLookUp(host)) {
                all.add(host);
            }
        }
        return all;
    }

    private static Judge judge(Random random) {
        return new Judge(new Egress(layers(random, 1 + random.nextInt(3)), EgressBudget.DEFAULT, secrets(random)));
    }

    private static List<EgressLayer> layers(Random random, int count) {
        return Stream.of("request", "tenant", "operator").limit(count).map(name -> layer(random, name)).toList();
    }

    private static List<SecretBinding> secrets(Random random) {
        return random.nextBoolean() ? List.of() : List.of(new SecretBinding("K", "csn-0123456789abcdefghijkl", List.of(HostPattern.parse(random.nextBoolean() ? "a.x.example" : "*.x.example")), Set.of(), "AA=="));
    }

    private static EgressLayer layer(Random random, String name) {
        for (int tries = 0; tries < 1_000; tries++) {
            try {
                int kind = random.nextInt(10);
                var mode = kind == 0 ? EgressLayer.Mode.NONE : kind < 6 ? EgressLayer.Mode.LIST : EgressLayer.Mode.OPEN;
                return new EgressLayer(name, mode, kind == 0 ? List.of() : Stream.generate(() -> rule(random)).limit(random.nextInt(6)).toList());
            } catch (SandboxException _) {
                // Contradictory: made again.
            }
        }
        throw new AssertionError("no layer came out");
    }

    private static EgressRule rule(Random random) {
        for (int tries = 0; tries < 1_000; tries++) {
            try {
                var ports = new ArrayList<PortRange>();
                for (int i = random.nextInt(3); i > 0; i--) {
                    int first = PORTS.get(random.nextInt(PORTS.size()));
                    ports.add(new PortRange(first, Math.min(65_535, first + random.nextInt(3))));
                }
                var protocols = new ArrayList<>(EnumSet.allOf(EgressProtocol.class));
                Collections.shuffle(protocols, random);
                var http = random.nextInt(3) > 0 ? List.<HttpMatch>of() : List.of(new HttpMatch(random.nextBoolean() ? Set.of("GET") : Set.of(), List.of(random.nextBoolean() ? "/a*" : "/a")));
                return new EgressRule("", random.nextInt(5) < 3 ? EgressRule.Action.ALLOW : EgressRule.Action.DENY, EgressTarget.parse(TARGETS.get(random.nextInt(TARGETS.size()))), ports,
                        Set.copyOf(protocols.subList(0, 1 + random.nextInt(3))), http, random.nextInt(8) == 0);
            } catch (SandboxException _) {
                // Not a rule: made again.
            }
        }
        throw new AssertionError("no rule came out");
    }
}
