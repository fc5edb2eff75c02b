package dev.caisson.egress;

import dev.caisson.sandbox.AddressKind;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.PortRange;
import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// One sandbox's way out: what it may reach, what it has been told names are, what it has spent, what is open, and the log of it all.
///
/// Threads: safe for many. Cleanup: close cuts everything.
final class Outlet implements NameView, AutoCloseable {
    private final SandboxId sandbox;
    private final SyntheticAddresses names;
    private final FlowLog log;
    private final Spending spending;
    private final GatewaySettings settings;
    private final Set<Connection> open = ConcurrentHashMap.newKeySet();
    private volatile Registration registration;
    private volatile Judge judge;
    private volatile SandboxSecrets secrets;
    private @Nullable SandboxAuthority authority;
    private volatile boolean closed;

    Outlet(Registration registration, SyntheticAddresses names, FlowLog log, Spending spending, GatewaySettings settings) {
        this.sandbox = registration.sandbox();
        this.registration = registration;
        this.judge = new Judge(registration.egress());
        this.names = names;
        this.log = log;
        this.spending = spending;
        this.settings = settings;
        this.secrets = SandboxSecrets.open(registration.egress().secrets(), settings.key());
    }

    SandboxId sandbox() {
        return sandbox;
    }

    Registration registration() {
        return registration;
    }

    Judge judge() {
        return judge;
    }

    SandboxSecrets secrets() {
        return secrets;
    }

    /// True when some of its TLS may be ended here.
    boolean opensTls() {
        var egress = registration.egress();
        return !egress.secrets().isEmpty() || egress.layers().stream().anyMatch(layer -> layer.rules().stream().anyMatch(EgressRule::inspect));
    }

    synchronized SandboxAuthority authority() {
        var made = authority;
        if (made == null) {
            made = SandboxAuthority.of(settings.key().master(), sandbox, registration.created(), settings.clock());
            authority = made;
        }
        return made;
    }

    Spending spending() {
        return spending;
    }

    Instant now() {
        return log.now();
    }

    /// Puts other rules in force, for what is open too.
    void change(Registration other) {
        // First, since it may fail. What is under way keeps the values that it has.
        secrets = SandboxSecrets.open(other.egress().secrets(), settings.key());
        registration = other;
        spending.change(other.egress().budget());
        judge = new Judge(other.egress());
        open.forEach(Connection::judgeAgain);
    }

    /// Takes part in changes from here on; whoever does so judges afterwards, so that no change falls between.
    void opened(Connection connection) {
        open.add(connection);
        if (closed) {
            connection.cut("the sandbox is gone");
        }
    }

    void ended(Connection connection) {
        open.remove(connection);
    }

    /// The name that an address was given out for.
    Optional<String> nameOf(InetAddress address) {
        return names.nameOf(address);
    }

    void write(Flow flow) {
        log.add(flow);
    }

    /// Something that was denied before it began.
    void denied(String host, String address, int port, String protocol, String rule, String reason) {
        Instant now = log.now();
        log.add(new Flow(0, now, now, host, address, port, protocol, "", rule, false, reason, 0, 0, 1));
    }

    /// Entries of the log, and behind them what is open, without a number.
    List<Flow> flows(long after, int limit) throws IOException {
        var flows = new ArrayList<>(log.after(after, limit));
        open.stream().map(Connection::flow).flatMap(Optional::stream).limit(limit - flows.size()).forEach(flows::add);
        return flows;
    }

    @Override
    public boolean spend() {
        return spending.request(System.nanoTime());
    }

    @Override
    public boolean mayLookUp(String name) {
        return judge.mayLookUp(name);
    }

    @Override
    public boolean accepts(String name, Resolution.Found found) {
        return found.addresses().stream().anyMatch(address -> AddressKind.of(address) == AddressKind.PUBLIC || mayDial(name, address));
    }

    /// At a port that some rule names, or one of the web's.
    private boolean mayDial(String name, InetAddress address) {
        var ports = registration.egress().layers().stream().flatMap(layer -> layer.rules().stream()).flatMap(rule -> rule.ports().stream()).map(PortRange::first);
        return Stream.concat(ports, Stream.of(443, 80)).distinct().anyMatch(port -> judge.dial(name, address, port) instanceof Admission.Admitted);
    }

    @Override
    public Optional<SyntheticAddresses.Pair> addressesFor(String name) {
        return names.of(name);
    }

    @Override
    public void heard(String name, Outcome outcome, String reason) {
        String why = switch (outcome) {
            case ANSWERED -> "";
            case DENIED -> reason.isEmpty() ? "no rule allows it" : reason;
            case UNKNOWN -> "there is no such name";
            case FILTERED -> "it has no address that may be reached";
            case FAILED -> "the resolver did not say: " + reason;
            case FULL -> reason;
            case OVER_BUDGET -> "more requests a second than the budget allows";
        };
        if (outcome != Outcome.ANSWERED) {
            denied(name, "", 0, "dns", outcome == Outcome.OVER_BUDGET ? "budget" : judge.connect(name, 443) instanceof Admission.Refused(String rule, _) ? rule : "resolver", why);
        }
    }

    @Override
    public void close() {
        closed = true;
        secrets.close();
        open.forEach(connection -> connection.cut("the sandbox is gone"));
        log.close();
        try {
            names.close();
        } catch (IOException e) {
            System.getLogger(Outlet.class.getName()).log(System.Logger.Level.WARNING, "sandbox=" + sandbox + " " + e.getMessage());
        }
    }
}
