package dev.caisson.node;

import dev.caisson.egress.Registration;
import dev.caisson.egress.TrustSeeds;
import dev.caisson.host.NetworkPlug;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.Failure;
import java.io.IOException;
import java.util.Optional;

/// What one sandbox may reach, kept alike in the journal, in the gateway and in the kernel's rules.
///
/// Order matters: what is taken away is taken in the kernel first, what is given is given there last.
/// Threads: its keeper's lock gives changes one order; [#egress] and [#trust] may be asked by anybody.
final class WayOut {
    private final Machine machine;
    private final JournalEntry entry;
    private volatile Egress egress;
    private volatile Optional<TrustSeeds> trust = Optional.empty();

    WayOut(Machine machine, JournalEntry entry) {
        this.machine = machine;
        this.entry = entry;
        this.egress = entry.spec().egress();
    }

    Egress egress() {
        return egress;
    }

    /// What it needs to trust its own authority; nothing where none of its TLS was opened when it was made.
    Optional<TrustSeeds> trust() {
        return trust;
    }

    /// For a new sandbox, before it runs.
    void open() throws IOException, InterruptedException {
        Optional<Registration> registration = registration(egress);
        if (registration.isPresent() && egress.isNone()) {
            machine.gateway().registerSoon(registration.get());
        } else if (registration.isPresent()) {
            trust = machine.gateway().register(registration.get());
            if (egress.reachesAddresses()) {
                machine.plugs().reachesAddresses(entry.network(), true);
            }
        }
    }

    /// For one that an earlier node has left: the gateway hears of it when it is told of all.
    void remember() {
        registration(egress).ifPresent(machine.gateway()::registerSoon);
    }

    /// An earlier node may have been killed between the row and what it says.
    void openAgain() throws IOException {
        if (registration(egress).isPresent()) {
            machine.plugs().reachesAddresses(entry.network(), egress.reachesAddresses());
        }
    }

    /// Errors: [Failure.Code#EGRESS_UNAVAILABLE] when the gateway cannot be told; it is, as soon as it is there.
    void change(Egress other) throws InterruptedException {
        machine.journal().changed(entry.id(), entry.spec().withEgress(other));
        boolean addresses = other.reachesAddresses();
        egress = other;
        Optional<Registration> registration = registration(other);
        if (registration.isEmpty()) {
            return;
        }
        try {
            if (!addresses) {
                machine.plugs().reachesAddresses(entry.network(), false);
            }
            trust = machine.gateway().register(registration.get());
            if (addresses) {
                machine.plugs().reachesAddresses(entry.network(), true);
            }
        } catch (IOException e) {
            throw Failure.Code.EGRESS_UNAVAILABLE.with("the network of sandbox " + entry.id() + " cannot be changed: " + e.getMessage(), "delete the sandbox and make another one", e);
        }
    }

    void close() throws InterruptedException {
        machine.gateway().forget(entry.id());
    }

    private Optional<Registration> registration(Egress rules) {
        Optional<NetworkPlug> plug = machine.plugs().of(entry.network());
        return plug.map(at -> new Registration(entry.id(), at.address(), at.address6(), entry.created(), rules));
    }
}
