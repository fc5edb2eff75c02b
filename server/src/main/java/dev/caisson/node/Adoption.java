package dev.caisson.node;

import dev.caisson.egress.TrustSeeds;
import dev.caisson.guest.Agent;
import dev.caisson.guest.Awakening;
import dev.caisson.host.GuestNetwork;
import dev.caisson.host.NetworkPlug;
import dev.caisson.host.Sha256;
import dev.caisson.link.LinkException;
import dev.caisson.runtime.Boot;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;

/// Makes a sandbox of nobody's its owner's: its name, variables and first files; and where it woke as the copy of another, all that a copy must have for itself.
///
/// Doing it again brings about once more what is asked, so it is also how a sandbox hears of a change, and of the time after a pause.
record Adoption(Machine machine, Boot boot) {
    /// More than the 48 that a copy needs to be sure to differ. Unit: bytes.
    private static final int ENTROPY = 64;
    private static final int ID_BYTES = 16;

    /// Nothing of a caller's runs before this returns.
    ///
    /// @param variables the sandbox's own
    /// @param trust see [WayOut#trust]
    ///
    /// Errors: [Failure.Code#GUEST_FAILED] that says what the guest could not do.
    void of(Agent agent, Map<String, String> variables, Optional<TrustSeeds> trust) throws InterruptedException {
        boolean copy = machine.drivers().of(boot.spec()).wakesFromSnapshot();
        byte[] entropy = new byte[copy ? ENTROPY : 0];
        machine.random().nextBytes(entropy);
        try {
            agent.adopt(
                    boot.id().value(), Seeds.variables(variables, trust), "user", copy ? nanos(machine.clock().instant()) : 0, entropy, Seeds.files(trust),
                    copy ? Optional.of(awakening()) : Optional.empty());
        } catch (SandboxException e) {
            // What the guest refuses here is no caller's doing: its template has no such user, or something stands where a file must go.
            String template = boot.spec().template().value();
            throw Failure.Code.GUEST_FAILED.with("sandbox " + boot.id() + " of template '" + template + "' could not be made ready: " + e.failure().message(), "change the template", e);
        } catch (LinkException e) {
            throw Failure.Code.GUEST_FAILED.with("sandbox " + boot.id() + " could not be made ready: " + e.getMessage(), "try again", e);
        }
    }

    private Awakening awakening() {
        var network = machine.plugs().of(boot.network()).map(NetworkPlug::guest).orElse(GuestNetwork.NONE);
        return new Awakening(id("machine"), bootId(), network.addresses().stream().map(address -> new Awakening.Address(address.address(), address.prefix())).toList(), network.gateways());
    }

    /// Follows from the sandbox's own, which nobody can guess, so that it is the same whenever it is asked for.
    private byte[] id(String what) {
        return Arrays.copyOf(HexFormat.of().parseHex(Sha256.of(what + " id of sandbox " + boot.id())), ID_BYTES);
    }

    /// A random UUID (RFC 9562, version 4), as Linux makes it.
    private byte[] bootId() {
        byte[] id = id("boot");
        id[6] = (byte) (id[6] & 0x0f | 0x40);
        id[8] = (byte) (id[8] & 0x3f | 0x80);
        return id;
    }

    private static long nanos(Instant time) {
        return Math.addExact(Math.multiplyExact(time.getEpochSecond(), 1_000_000_000L), time.getNano());
    }
}
