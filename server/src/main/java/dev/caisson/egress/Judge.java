package dev.caisson.egress;

import dev.caisson.sandbox.AddressKind;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressProtocol;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.Metadata;
import dev.caisson.sandbox.SecretBinding;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Decides what one sandbox may reach: something is allowed only when every layer allows it. Knows nothing of sockets, and keeps nothing.
///
/// Hosts are in their one spelling ([HostPattern#normal]) everywhere here; whoever has one from a stranger brings it there first.
/// Threads: immutable.
public final class Judge {
    private static final String METADATA = "metadata";

    private final Egress egress;
    private final List<LayerJudge> layers;
    private final boolean watchesNames;

    public Judge(Egress egress) {
        this.egress = egress;
        this.layers = IntStream.range(0, egress.layers().size()).mapToObj(i -> new LayerJudge(egress.layers().get(i), i == 0 ? egress.secrets() : List.of())).toList();
        this.watchesNames = layers.stream().anyMatch(LayerJudge::deniesNames);
    }

    public Egress egress() {
        return egress;
    }

    /// True when something may be said to that host at some port; others are not looked up.
    public boolean mayLookUp(String host) {
        return lookUp(host).allowed();
    }

    /// The same with the rule that decided: of the first layer, or of the one with which nothing was left.
    public Decision lookUp(String host) {
        if (Metadata.isName(host)) {
            return Decision.deny(METADATA, host + " is a cloud's metadata service");
        }
        var first = layers.getFirst();
        // Whoever may say anything may say TLS or HTTP: raw TCP is never allowed where those are not.
        var tls = first.ports(host, EgressProtocol.TLS);
        var http = first.ports(host, EgressProtocol.HTTP);
        for (LayerJudge layer : layers) {
            if (layer != first) {
                tls.and(layer.ports(host, EgressProtocol.TLS));
                http.and(layer.ports(host, EgressProtocol.HTTP));
            }
            if (tls.isEmpty() && http.isEmpty()) {
                return layer.nothingFor(host);
            }
        }
        return Decision.allow(first.somethingFor(host));
    }

    /// A connection to a host that was looked up by its name, before it is known where that is.
    public Admission connect(String host, int port) {
        return Metadata.isName(host) ? new Admission.Refused(METADATA, host + " is a cloud's metadata service") : admit(host, null, port);
    }

    /// A connection straight to an address.
    public Admission connect(InetAddress address, int port) {
        return admit(null, address, port);
    }

    /// The same as [#connect(String, int)] now that the host has been resolved: to be asked of every address just before it is dialed.
    public Admission dial(String host, InetAddress resolved, int port) {
        return Metadata.isName(host) ? connect(host, port) : admit(host, resolved, port);
    }

    private Admission admit(@Nullable String host, @Nullable InetAddress address, int port) {
        AddressKind kind = address == null ? AddressKind.PUBLIC : AddressKind.of(address);
        if (address != null && kind == AddressKind.METADATA) {
            return new Admission.Refused(METADATA, address.getHostAddress() + " is a cloud's metadata service");
        }
        var protocols = EnumSet.noneOf(EgressProtocol.class);
        var rules = new ArrayList<String>();
        Decision refusal = null;
        boolean inspect = false;
        for (EgressProtocol protocol : EgressProtocol.values()) {
            var answer = protocol(host, address, kind, port, protocol);
            if (answer.allowed()) {
                // Raw TCP comes last: where TLS is looked into, nothing goes through unseen.
                inspect |= protocol == EgressProtocol.TLS && answer.inspect();
                if (protocol != EgressProtocol.TCP || !inspect) {
                    protocols.add(protocol);
                    rules.add(answer.decision().rule());
                }
            } else if (refusal == null) {
                refusal = answer.decision();
            }
        }
        if (protocols.isEmpty()) {
            return refusal == null ? new Admission.Refused("", "no protocol is allowed") : new Admission.Refused(refusal.rule(), refusal.reason());
        }
        boolean raw = protocols.contains(EgressProtocol.TCP);
        return new Admission.Admitted(raw ? rules.getLast() : rules.getFirst(), protocols, inspect, watchesNames && (raw || host == null));
    }

    private LayerJudge.Answer protocol(@Nullable String host, @Nullable InetAddress address, AddressKind kind, int port, EgressProtocol protocol) {
        LayerJudge.Answer first = null;
        boolean inspect = host != null && protocol == EgressProtocol.TLS && !secretsFor(host).isEmpty();
        for (LayerJudge layer : layers) {
            if (host != null) {
                var answer = layer.name(host, port, protocol);
                if (!answer.allowed()) {
                    return answer;
                }
                inspect |= answer.inspect();
                first = first == null ? answer : first;
            }
            if (address != null) {
                var answer = layer.address(address, kind, port, protocol, host != null);
                if (!answer.allowed()) {
                    return answer;
                }
                first = first == null ? answer : first;
            }
        }
        if (first == null) {
            throw new IllegalStateException("a connection to nowhere");
        }
        return new LayerJudge.Answer(first.decision(), inspect);
    }

    /// A name that shows in what is said on a connection that was admitted as [Admission.Admitted#watched]: refused when a rule denies it. A name that is claimed opens nothing.
    ///
    /// @param protocol [EgressProtocol#TLS] or [EgressProtocol#HTTP], as it was claimed
    public Decision seen(String name, InetAddress address, int port, EgressProtocol protocol) {
        if (Metadata.isName(name)) {
            return Decision.deny(METADATA, name + " is a cloud's metadata service");
        }
        return all(layer -> layer.seen(name, address, port, protocol));
    }

    /// One HTTP request on a connection to that host that was admitted.
    ///
    /// @param protocol [EgressProtocol#TLS] where it was ended here, or [EgressProtocol#HTTP]
    /// @param path as sent, without its query
    public Decision request(String host, int port, EgressProtocol protocol, String method, String path) {
        if (Metadata.isName(host)) {
            return Decision.deny(METADATA, host + " is a cloud's metadata service");
        }
        return all(layer -> layer.request(host, port, protocol, method, path));
    }

    private interface Question {
        Decision ask(LayerJudge layer);
    }

    private Decision all(Question question) {
        Decision first = null;
        for (LayerJudge layer : layers) {
            var decision = question.ask(layer);
            if (!decision.allowed()) {
                return decision;
            }
            first = first == null ? decision : first;
        }
        if (first == null) {
            throw new IllegalStateException("no layers");
        }
        return first;
    }

    /// Those that may be put into requests to that host, over TLS.
    public List<SecretBinding> secretsFor(String host) {
        return egress.secrets().stream().filter(secret -> secret.hosts().stream().anyMatch(pattern -> pattern.fits(host))).toList();
    }

    /// The protocols of an admission, none when it was refused.
    public static Set<EgressProtocol> protocols(Admission admission) {
        return switch (admission) {
            case Admission.Refused _ -> Set.of();
            case Admission.Admitted admitted -> admitted.protocols();
        };
    }
}
