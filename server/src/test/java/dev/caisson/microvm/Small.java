package dev.caisson.microvm;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Shell;
import java.time.Duration;
import java.util.Map;

/// The one shape of this package's machines, so that a class of tests waits for one snapshot.
final class Small {
    static final Limits LIMITS = new Limits(new Cpus(1000), ByteSize.mib(256), 64, ByteSize.mib(96), 512);

    private Small() {}

    static SandboxSpec spec() {
        return leased(Duration.ofMinutes(5));
    }

    static SandboxSpec leased(Duration lease) {
        return limited(LIMITS, lease);
    }

    static SandboxSpec limited(Limits limits, Duration lease) {
        var spec = Shell.spec(Tier.MICROVM);
        return new SandboxSpec(spec.template(), spec.trust(), spec.tier(), limits, lease, Map.of(), Map.of()).withDriver(spec.driver().orElseThrow());
    }
}
