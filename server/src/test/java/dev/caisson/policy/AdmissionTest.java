package dev.caisson.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.fake.FakeSandboxes;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdmissionTest {
    private static final Caller ANN = new Caller("k0000000a", "default");
    private static final Caller BOB = new Caller("k0000000b", "bobs");

    @TempDir
    Path directory;

    private FakeSandboxes sandboxes;

    @BeforeEach
    void open() {
        sandboxes = new FakeSandboxes(directory);
    }

    @AfterEach
    void close() {
        sandboxes.close();
    }

    @Test
    void aTenantHasSoManySandboxesAndNoMore() throws Exception {
        var quota = new Quota(sandboxes, 2);
        SandboxId first = quota.create(ANN, SandboxSpec.defaults()).id();
        quota.create(ANN, SandboxSpec.defaults());
        refused(() -> quota.create(ANN, SandboxSpec.defaults()), Failure.Code.TOO_MANY, "may have 2 at a time");
        assertThat(quota.create(BOB, SandboxSpec.defaults()).spec().tenant()).isEqualTo("bobs");
        sandboxes.delete(first);
        quota.create(ANN, SandboxSpec.defaults());
        refused(() -> quota.create(ANN, SandboxSpec.defaults()), Failure.Code.TOO_MANY, "");
    }

    @Test
    void whatIsAskedAgainNeedsNoPlace() throws Exception {
        var quota = new Quota(sandboxes, 1);
        SandboxSpec spec = SandboxSpec.defaults().withIdempotencyKey("once");
        SandboxId id = quota.create(ANN, spec).id();
        assertThat(quota.create(ANN, spec).id()).isEqualTo(id);
        refused(() -> quota.create(ANN, spec.withIdempotencyKey("twice")), Failure.Code.TOO_MANY, "");
    }

    @Test
    void theCountOutlivesTheFront() throws Exception {
        new Quota(sandboxes, 1).create(ANN, SandboxSpec.defaults());
        refused(() -> new Quota(sandboxes, 1).create(ANN, SandboxSpec.defaults()), Failure.Code.TOO_MANY, "");
    }

    @Test
    void aFailedCreateGivesItsPlaceBack() throws Exception {
        var quota = new Quota(sandboxes, 1);
        sandboxes.breakWith(new Failure(Failure.Code.RUNTIME_FAILED, "broken", "mend it"));
        refused(() -> quota.create(ANN, SandboxSpec.defaults()), Failure.Code.RUNTIME_FAILED, "broken");
        sandboxes.breakWith(null);
        quota.create(ANN, SandboxSpec.defaults());
    }

    @Test
    void manyAtOnceDoNotGetPast() throws Exception {
        var quota = new Quota(sandboxes, 20);
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Boolean>> tries = java.util.stream.IntStream.range(0, 200).mapToObj(_ -> threads.submit(() -> {
                try {
                    quota.create(ANN, SandboxSpec.defaults());
                    return true;
                } catch (SandboxException _) {
                    return false;
                }
            })).toList();
            int made = 0;
            for (Future<Boolean> one : tries) {
                made += one.get() ? 1 : 0;
            }
            assertThat(made).isLessThanOrEqualTo(20).isPositive();
        }
        assertThat(sandboxes.list()).hasSizeLessThanOrEqualTo(20);
    }

    @Test
    void aQuotaHasBounds() {
        refused(() -> new Quota(sandboxes, 0), Failure.Code.OUT_OF_RANGE, "");
        refused(() -> new Quota(sandboxes, Quota.MAX_SANDBOXES + 1), Failure.Code.OUT_OF_RANGE, "");
    }

    private static void refused(ThrowingCallable call, Failure.Code code, String says) {
        assertThatThrownBy(call).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(code);
            assertThat(e.failure().message() + e.failure().remedy()).contains(says);
        });
    }
}
