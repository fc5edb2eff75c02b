package dev.caisson.api.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.policy.WallSettings;
import dev.caisson.sandbox.DriverName;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Which tier and driver a request may choose, and that every answer says which it was.
@Timeout(60)
class WallsTest {
    private static final List<DriverName> WITHOUT_KVM = List.of(DriverName.QEMU_TCG, DriverName.GVISOR, DriverName.CONTAINER);
    private static final String EMULATED = "\"tier\":\"microvm\",\"driver\":\"qemu-tcg\",\"isolation\":\"emulated: not a security boundary\"";

    @TempDir
    Path directory;

    @Test
    void severalTenantsRaiseTheFloorOfUntrustedCode() {
        try (var house = new House(directory, WallSettings.DEFAULT)) {
            house.sandbox();
            assertThat(house.get("/v1/status").is(200).body()).contains("\"policy\":{\"shared\":false,\"floor\":\"gvisor\",\"accepts_emulated\":false}");
            String stranger = house.keys.create("stranger", "acme").text().secret();
            house.post("/v1/sandboxes", "{}").problem(503, "tier-unavailable");
            var refused = house.post("/v1/sandboxes", "{\"tier\":\"gvisor\"}").problem(403, "tier-too-weak");
            assertThat(refused.text("detail")).contains("several tenants");
            assertThat(refused.text("remedy")).contains("--tenant-floor gvisor");
            assertThat(house.send(house.requestWith(stranger, "/v1/sandboxes").POST(BodyPublishers.noBody())).problem(503, "tier-unavailable").text("detail")).contains("several tenants");
            assertThat(house.get("/v1/status").is(200).body()).contains("\"policy\":{\"shared\":true,\"floor\":\"microvm\",\"accepts_emulated\":false,\"unmet\":{\"code\":\"tier-unavailable\"");
            house.post("/v1/sandboxes", "{\"trust\":\"reviewed\"}").is(201);
            house.sandboxes.drivers(List.of(DriverName.QEMU, DriverName.GVISOR));
            assertThat(house.post("/v1/sandboxes", "{}").is(201).body()).contains("\"tier\":\"microvm\"").doesNotContain("isolation");
        }
    }

    @Test
    void anEmulatedWallIsRefusedUntilTheOperatorAcceptsItAndNeverGoesUnsaid() {
        try (var house = new House(directory, WallSettings.DEFAULT)) {
            house.sandboxes.drivers(WITHOUT_KVM);
            assertThat(house.post("/v1/sandboxes", "{\"tier\":\"microvm\"}").problem(503, "tier-unavailable").text("detail")).contains("emulated: not a security boundary");
            house.post("/v1/sandboxes", "{\"driver\":\"qemu-tcg\"}").problem(503, "tier-unavailable");
            house.post("/v1/sandboxes", "{\"tier\":\"microvm\",\"accept_emulated\":true}").problem(400, "bad-request");
        }
        try (var house = new House(directory, WallSettings.DEFAULT.withAcceptsEmulated(true))) {
            house.sandboxes.drivers(WITHOUT_KVM);
            var made = house.post("/v1/sandboxes", "{\"tier\":\"microvm\"}").is(201);
            assertThat(made.body()).contains(EMULATED);
            house.post("/v1/sandboxes", "{" + EMULATED + "}").is(201);
            house.post("/v1/sandboxes", "{\"isolation\":\"hardware\"}").problem(400, "bad-request");
            assertThat(house.post("/v1/sandboxes", "{\"driver\":\"qemu\"}").is(201).body()).contains(EMULATED);
            assertThat(house.get("/v1/sandboxes/" + made.text("id")).is(200).body()).contains(EMULATED);
            assertThat(house.get("/v1/sandboxes").is(200).body()).contains(EMULATED);
            assertThat(house.delete("/v1/sandboxes/" + made.text("id")).is(200).body()).contains(EMULATED);
            assertThat(house.get("/v1/receipts").is(200).body()).contains(EMULATED);
            assertThat(house.get("/v1/status").is(200).body()).contains("\"tiers\":[\"gvisor\",\"container\"]", "\"name\":\"qemu-tcg\",\"tier\":\"microvm\",\"isolation\":\"emulated: not a security boundary\"");
            assertThat(house.get("/v1/metrics").is(200).body()).contains(
                    "caisson_tier_available{tier=\"microvm\"} 0\n", "caisson_driver_available{driver=\"qemu-tcg\",tier=\"microvm\",isolation=\"emulated: not a security boundary\"} 1\n");
        }
    }

    @Test
    void aDriverIsOneOfTheTierThatIsAskedFor() {
        try (var house = new House(directory)) {
            house.sandboxes.drivers(List.of(DriverName.FIRECRACKER, DriverName.QEMU, DriverName.GVISOR));
            assertThat(house.post("/v1/sandboxes", "{\"driver\":\"qemu\"}").is(201).body()).contains("\"tier\":\"microvm\",\"driver\":\"qemu\"").doesNotContain("isolation");
            house.post("/v1/sandboxes", "{\"tier\":\"gvisor\",\"driver\":\"qemu\"}").problem(400, "bad-request");
            assertThat(house.post("/v1/sandboxes", "{\"driver\":\"xen\"}").problem(400, "bad-request").text("remedy")).contains("firecracker, qemu, qemu-tcg, gvisor, container");
        }
    }
}
