package dev.caisson.policy;

import static dev.caisson.sandbox.DriverName.CONTAINER;
import static dev.caisson.sandbox.DriverName.FIRECRACKER;
import static dev.caisson.sandbox.DriverName.GVISOR;
import static dev.caisson.sandbox.DriverName.QEMU;
import static dev.caisson.sandbox.DriverName.QEMU_TCG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.fake.FakeSandboxes;
import dev.caisson.sandbox.DriverInfo;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.FutureTask;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Which wall code gets, by what is said of it, who else is there, what the operator says and what the machine has.
class TierPolicyTest {
    private static final List<DriverName> ALL = List.of(FIRECRACKER, QEMU, QEMU_TCG, GVISOR, CONTAINER);
    private static final List<DriverName> WITHOUT_KVM = List.of(QEMU_TCG, GVISOR, CONTAINER);
    private static final WallSettings ACCEPTING = WallSettings.DEFAULT.withAcceptsEmulated(true);
    private static final WallSettings LOWERED = WallSettings.DEFAULT.withTenantFloor(Tier.GVISOR);

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

    /// Of an installation with one tenant.
    private TierPolicy alone(WallSettings settings) {
        return new TierPolicy(sandboxes, _ -> false, settings);
    }

    /// Of one with several.
    private TierPolicy shared(WallSettings settings) {
        return new TierPolicy(sandboxes, _ -> true, settings);
    }

    private static TierPolicy.Choice choose(TierPolicy tiers, Trust trust, Tier tier) {
        return tiers.choose(trust, "default", Optional.of(tier), Optional.empty());
    }

    private static TierPolicy.Choice choose(TierPolicy tiers, Trust trust, DriverName driver) {
        return tiers.choose(trust, "default", Optional.empty(), Optional.of(driver));
    }

    private static TierPolicy.Choice choose(TierPolicy tiers, Trust trust) {
        return tiers.choose(trust, "default", Optional.empty(), Optional.empty());
    }

    private static TierPolicy.Choice any(Tier tier) {
        return new TierPolicy.Choice(tier, Optional.empty());
    }

    private static TierPolicy.Choice by(DriverName driver) {
        return new TierPolicy.Choice(driver.tier(), Optional.of(driver));
    }

    @Test
    void theFloorIsTheDefaultAndStrongerMayBeAsked() {
        sandboxes.drivers(ALL);
        var tiers = alone(WallSettings.DEFAULT);
        assertThat(choose(tiers, Trust.UNTRUSTED)).isEqualTo(any(Tier.GVISOR));
        assertThat(choose(tiers, Trust.REVIEWED)).isEqualTo(any(Tier.GVISOR));
        assertThat(choose(tiers, Trust.TRUSTED)).isEqualTo(any(Tier.CONTAINER));
        for (Trust trust : Trust.values()) {
            assertThat(choose(tiers, trust, Tier.MICROVM)).isEqualTo(any(Tier.MICROVM));
            assertThat(choose(tiers, trust, Tier.GVISOR)).isEqualTo(any(Tier.GVISOR));
        }
        assertThat(choose(tiers, Trust.TRUSTED, Tier.CONTAINER)).isEqualTo(any(Tier.CONTAINER));
    }

    @Test
    void aWeakerTierIsRefusedWithTheOneThatIsNeeded() {
        for (Trust trust : List.of(Trust.UNTRUSTED, Trust.REVIEWED)) {
            refused(() -> choose(alone(ACCEPTING), trust, Tier.CONTAINER), Failure.Code.TIER_TOO_WEAK, "use --tier gvisor");
            refused(() -> choose(alone(ACCEPTING), trust, CONTAINER), Failure.Code.TIER_TOO_WEAK, "use --tier gvisor");
            refused(() -> choose(shared(LOWERED), trust, Tier.CONTAINER), Failure.Code.TIER_TOO_WEAK, "use --tier gvisor");
        }
    }

    @Test
    void whereSeveralTenantsAreUntrustedCodeGetsAKernelOfItsOwn() {
        sandboxes.drivers(ALL);
        var tiers = shared(WallSettings.DEFAULT);
        assertThat(choose(tiers, Trust.UNTRUSTED)).isEqualTo(any(Tier.MICROVM));
        assertThat(choose(tiers, Trust.UNTRUSTED, Tier.MICROVM)).isEqualTo(any(Tier.MICROVM));
        assertThat(choose(tiers, Trust.REVIEWED)).isEqualTo(any(Tier.GVISOR));
        assertThat(choose(tiers, Trust.TRUSTED)).isEqualTo(any(Tier.CONTAINER));
        for (ThrowingCallable weaker : List.<ThrowingCallable>of(() -> choose(tiers, Trust.UNTRUSTED, Tier.GVISOR), () -> choose(tiers, Trust.UNTRUSTED, GVISOR))) {
            refused(weaker, Failure.Code.TIER_TOO_WEAK, "several tenants: the weakest wall for it is then microvm");
            refused(weaker, Failure.Code.TIER_TOO_WEAK, "caisson up --tenant-floor gvisor");
        }
    }

    @Test
    void onlyTheOperatorLowersThatFloorAndNotBelowGvisor() {
        sandboxes.drivers(ALL);
        assertThat(choose(shared(LOWERED), Trust.UNTRUSTED)).isEqualTo(any(Tier.GVISOR));
        assertThat(choose(shared(LOWERED), Trust.UNTRUSTED, Tier.MICROVM)).isEqualTo(any(Tier.MICROVM));
        refused(() -> WallSettings.DEFAULT.withTenantFloor(Tier.CONTAINER), Failure.Code.BAD_REQUEST, "choose microvm or gvisor");
    }

    @Test
    void severalTenantsAreThoseWithAGoodKeyAndTheOneThatItIsFor() {
        sandboxes.drivers(ALL);
        try (var keys = KeyStore.open(directory.resolve("front.db"), InstantSource.system(), new SecureRandom(), Optional.empty())) {
            var tiers = new TierPolicy(sandboxes, keys::hasOthers, WallSettings.DEFAULT);
            assertThat(choose(tiers, Trust.UNTRUSTED).tier()).as("nobody has a key").isEqualTo(Tier.GVISOR);
            keys.create("first");
            keys.create("second");
            assertThat(choose(tiers, Trust.UNTRUSTED).tier()).isEqualTo(Tier.GVISOR);
            assertThat(tiers.choose(Trust.UNTRUSTED, "acme", Optional.empty(), Optional.empty()).tier()).as("the operator makes one for a tenant without a key").isEqualTo(Tier.MICROVM);
            String acme = keys.create("acme", "acme").key().id();
            assertThat(choose(tiers, Trust.UNTRUSTED).tier()).isEqualTo(Tier.MICROVM);
            keys.revoke(acme);
            assertThat(choose(tiers, Trust.UNTRUSTED).tier()).isEqualTo(Tier.GVISOR);
        }
    }

    @Test
    void aTierThatIsNotThereIsNeverReplaced() {
        refused(() -> choose(alone(ACCEPTING), Trust.TRUSTED, Tier.MICROVM), Failure.Code.TIER_UNAVAILABLE, "it has: gvisor, container");
        refused(() -> choose(shared(ACCEPTING), Trust.UNTRUSTED), Failure.Code.TIER_UNAVAILABLE, "untrusted code of several tenants needs tier microvm, and this machine cannot give tier microvm");
        refused(() -> choose(shared(ACCEPTING), Trust.UNTRUSTED), Failure.Code.TIER_UNAVAILABLE, "caisson up --tenant-floor gvisor");
        sandboxes.drivers(List.of(CONTAINER));
        assertThat(choose(alone(WallSettings.DEFAULT), Trust.UNTRUSTED)).as("the node will refuse it").isEqualTo(any(Tier.GVISOR));
        assertThat(alone(WallSettings.DEFAULT).standing("default").unmet().orElseThrow().message()).contains("it has: container");
        sandboxes.drivers(List.of());
        var tiers = alone(WallSettings.DEFAULT);
        refused(() -> choose(tiers, Trust.UNTRUSTED, Tier.MICROVM), Failure.Code.TIER_UNAVAILABLE, "it has: none");
        sandboxes.drivers(List.of(QEMU));
        assertThat(choose(tiers, Trust.UNTRUSTED, Tier.MICROVM)).as("asked again when it was missing").isEqualTo(any(Tier.MICROVM));
    }

    @Test
    void whatIsMissingIsSaid() {
        sandboxes.known(List.of(DriverInfo.unfit(FIRECRACKER, "firecracker", "no /dev/kvm"), DriverInfo.unfit(QEMU, "qemu-system-x86_64", "its KVM boots no guest"), DriverInfo.fit(GVISOR, "runsc")));
        refused(() -> choose(alone(WallSettings.DEFAULT), Trust.UNTRUSTED, Tier.MICROVM), Failure.Code.TIER_UNAVAILABLE, "(firecracker: no /dev/kvm; qemu: its KVM boots no guest); it has: gvisor");
        refused(() -> choose(alone(WallSettings.DEFAULT), Trust.UNTRUSTED, FIRECRACKER), Failure.Code.TIER_UNAVAILABLE, "cannot give driver firecracker (firecracker: no /dev/kvm)");
    }

    @Test
    void anEmulatedWallIsNoneUnlessTheOperatorAcceptsItByName() {
        sandboxes.drivers(WITHOUT_KVM);
        for (Trust trust : List.of(Trust.UNTRUSTED, Trust.REVIEWED)) {
            refused(() -> choose(alone(WallSettings.DEFAULT), trust, Tier.MICROVM), Failure.Code.TIER_UNAVAILABLE, "tier microvm is only emulated here; qemu-tcg is emulated: not a security boundary");
            refused(() -> choose(alone(WallSettings.DEFAULT), trust, QEMU), Failure.Code.TIER_UNAVAILABLE, "--accept-emulated");
            refused(() -> choose(alone(WallSettings.DEFAULT), trust, QEMU_TCG), Failure.Code.TIER_UNAVAILABLE, "qemu-tcg is emulated: not a security boundary");
            assertThat(choose(alone(ACCEPTING), trust, Tier.MICROVM)).isEqualTo(by(QEMU_TCG));
            assertThat(choose(alone(ACCEPTING), trust, QEMU)).isEqualTo(by(QEMU_TCG));
            assertThat(choose(alone(ACCEPTING), trust)).as("a real wall that will do is the default").isEqualTo(any(Tier.GVISOR));
        }
        refused(() -> choose(shared(WallSettings.DEFAULT), Trust.UNTRUSTED), Failure.Code.TIER_UNAVAILABLE, "untrusted code of several tenants needs tier microvm, and tier microvm is only emulated here");
        assertThat(choose(shared(ACCEPTING), Trust.UNTRUSTED)).isEqualTo(by(QEMU_TCG));
    }

    /// It may share the host's kernel, so it is no question of a boundary; the answer says what it got.
    @Test
    void trustedCodeMayAskForAnEmulatedWall() {
        sandboxes.drivers(WITHOUT_KVM);
        assertThat(choose(alone(WallSettings.DEFAULT), Trust.TRUSTED, Tier.MICROVM)).isEqualTo(by(QEMU_TCG));
        assertThat(choose(shared(WallSettings.DEFAULT), Trust.TRUSTED, QEMU_TCG)).isEqualTo(by(QEMU_TCG));
    }

    @Test
    void anEmulatedWallNeverTakesThePlaceOfARealOne() {
        sandboxes.drivers(WITHOUT_KVM);
        var tiers = shared(ACCEPTING);
        assertThat(choose(tiers, Trust.UNTRUSTED)).isEqualTo(by(QEMU_TCG));
        sandboxes.drivers(ALL);
        assertThat(choose(tiers, Trust.UNTRUSTED)).as("the node was asked again").isEqualTo(any(Tier.MICROVM));
        assertThat(choose(tiers, Trust.UNTRUSTED, QEMU)).isEqualTo(by(QEMU));
        assertThat(choose(tiers, Trust.UNTRUSTED, QEMU_TCG)).as("asked for by name").isEqualTo(by(QEMU_TCG));
        refused(() -> choose(shared(WallSettings.DEFAULT), Trust.UNTRUSTED, QEMU_TCG), Failure.Code.TIER_UNAVAILABLE, "not a security boundary");
    }

    @Test
    void whatIsBeingTriedIsWaitedForAndNotReplacedMeanwhile() throws Exception {
        sandboxes.known(List.of(DriverInfo.beingTried(QEMU, "qemu-system-x86_64", "a guest is being tried"), DriverInfo.fit(QEMU_TCG, "qemu-system-x86_64"), DriverInfo.fit(GVISOR, "runsc")));
        assertThat(choose(alone(ACCEPTING), Trust.UNTRUSTED)).as("gvisor needs no answer").isEqualTo(any(Tier.GVISOR));
        assertThat(choose(alone(ACCEPTING), Trust.UNTRUSTED, QEMU_TCG)).as("nor does what is asked for by name").isEqualTo(by(QEMU_TCG));
        assertThat(shared(WallSettings.DEFAULT).standing("default").unmet().orElseThrow().message()).as("a status does not wait")
                .contains("not known yet whether this machine can give tier microvm (qemu: a guest is being tried)");

        var choosing = new FutureTask<>(() -> choose(alone(ACCEPTING), Trust.UNTRUSTED, Tier.MICROVM));
        var thread = Thread.ofVirtual().start(choosing);
        while (thread.getState() != Thread.State.TIMED_WAITING) {
            assertThat(choosing.isDone()).isFalse();
            Thread.onSpinWait();
        }
        sandboxes.drivers(ALL);
        assertThat(choosing.get()).isEqualTo(any(Tier.MICROVM));
    }

    @Test
    void aDriverPinsItsTierAndNoOther() {
        sandboxes.drivers(ALL);
        var tiers = alone(WallSettings.DEFAULT);
        assertThat(choose(tiers, Trust.UNTRUSTED, FIRECRACKER)).isEqualTo(by(FIRECRACKER));
        assertThat(tiers.choose(Trust.UNTRUSTED, "default", Optional.of(Tier.GVISOR), Optional.of(GVISOR))).isEqualTo(by(GVISOR));
        refused(() -> tiers.choose(Trust.UNTRUSTED, "default", Optional.of(Tier.GVISOR), Optional.of(QEMU)), Failure.Code.BAD_REQUEST, "driver qemu is of tier microvm");
    }

    @Test
    void theStandingOfATenantSaysWhatItsUntrustedCodeIsInFor() {
        sandboxes.drivers(WITHOUT_KVM);
        assertThat(alone(WallSettings.DEFAULT).standing("default")).isEqualTo(new TierPolicy.Standing(false, Tier.GVISOR, false, Optional.empty()));
        assertThat(shared(ACCEPTING).standing("default")).isEqualTo(new TierPolicy.Standing(true, Tier.MICROVM, true, Optional.empty()));
        assertThat(shared(LOWERED).standing("default")).isEqualTo(new TierPolicy.Standing(true, Tier.GVISOR, false, Optional.empty()));
        var unmet = shared(WallSettings.DEFAULT).standing("default");
        assertThat(unmet.floor()).isEqualTo(Tier.MICROVM);
        assertThat(unmet.unmet()).hasValueSatisfying(failure -> assertThat(failure.message() + failure.remedy()).contains("several tenants", DriverName.EMULATED, "--accept-emulated", "--tenant-floor gvisor"));
    }

    private static void refused(ThrowingCallable call, Failure.Code code, String says) {
        assertThatThrownBy(call).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(code);
            assertThat(e.failure().message() + " (" + e.failure().remedy() + ")").contains(says);
        });
    }
}
