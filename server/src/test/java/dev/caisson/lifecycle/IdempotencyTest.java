package dev.caisson.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Servers.Kind;
import dev.caisson.testing.Shell;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A create that is asked twice with one key makes one sandbox.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class IdempotencyTest {
    @RegisterExtension
    static final Installation HOUSE = new Installation();

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void oneKeyIsOneSandboxWhileItLives(Tier tier) throws Exception {
        var node = HOUSE.node();
        SandboxSpec spec = Shell.spec(tier).withIdempotencyKey("job-1");
        var ids = new HashSet<SandboxId>();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var asked = new ArrayList<Future<SandboxId>>();
            for (int i = 0; i < 8; i++) {
                asked.add(threads.submit(() -> node.create(spec).id()));
            }
            for (var one : asked) {
                ids.add(one.get());
            }
        }
        assertThat(ids).hasSize(1);
        assertThat(node.list()).hasSize(1);
        var id = ids.iterator().next();

        assertThatThrownBy(() -> node.create(spec.withLabels(Map.of("a", "b")))).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.IDEMPOTENCY_MISMATCH));
        assertThat(node.create(spec.withTenant("acme")).id()).as("another tenant's key is another key").isNotEqualTo(id);

        HOUSE.servers().kill(Kind.NODE);
        HOUSE.servers().start(Kind.NODE);
        assertThat(node.create(spec).id()).as("after a restart").isEqualTo(id);
        node.pause(id);
        assertThat(node.create(spec).id()).as("while it is paused").isEqualTo(id);

        node.delete(id);
        assertThat(node.create(spec).id()).as("after its end").isNotEqualTo(id);
    }

    /// What could not be made does not keep its key.
    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void aFailedCreateFreesItsKey(Tier tier) throws Exception {
        var node = HOUSE.node();
        SandboxSpec good = Shell.spec(tier).withIdempotencyKey("job-2");
        var bad = new SandboxSpec(new dev.caisson.sandbox.TemplateName("missing"), good.trust(), good.tier(), good.limits(), good.lease(), Map.of(), Map.of(), good.tenant(), "job-2");
        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> node.create(bad)).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.TEMPLATE_NOT_FOUND));
        }
        assertThat(node.create(good).spec()).isEqualTo(good.withDriver(tier == Tier.GVISOR ? DriverName.GVISOR : DriverName.CONTAINER));
    }
}
