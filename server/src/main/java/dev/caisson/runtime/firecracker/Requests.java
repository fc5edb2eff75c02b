package dev.caisson.runtime.firecracker;

import dev.caisson.runtime.microvm.DeviceRates;
import dev.caisson.runtime.microvm.Vm;
import java.io.IOException;
import java.time.Duration;
import java.util.function.Consumer;
import tools.jackson.core.JsonGenerator;

/// What is asked of a machine's Firecracker, in its words: `src/firecracker/swagger/firecracker.yaml` in its sources, versions 1.12 to 1.16.
///
/// Every path in here is one in the jail.
record Requests(FirecrackerApi api, Vm vm) {
    /// Most requests change a few numbers.
    static final Duration BOUND = Duration.ofSeconds(10);
    /// Writing a large guest's memory to a slow disk.
    private static final Duration FREEZE_BOUND = Duration.ofMinutes(3);
    private static final Duration LOAD_BOUND = Duration.ofSeconds(30);

    static final String INTERFACE = "eth0";
    /// The same for all: each is alone on its link.
    static final String MAC = "02:ca:15:50:00:01";
    private static final int GUEST_CID = 3;
    private static final long ENTROPY_BYTES_PER_SECOND = 1 << 20;
    /// A bucket is filled in this time, so a burst is a tenth of a second's worth.
    private static final int REFILL_MILLIS = 100;

    void machine(String commandLine) throws IOException, InterruptedException {
        api.put("/boot-source", out -> {
            out.writeStringProperty("kernel_image_path", "/" + Jail.KERNEL);
            out.writeStringProperty("initrd_path", "/" + Jail.INITRAMFS);
            out.writeStringProperty("boot_args", commandLine);
        }, BOUND);
        api.put("/machine-config", out -> {
            out.writeNumberProperty("vcpu_count", vm.shape().vcpus());
            out.writeNumberProperty("mem_size_mib", vm.shape().memory().bytes() >> 20);
            out.writeBooleanProperty("smt", false);
            out.writeBooleanProperty("track_dirty_pages", false);
        }, BOUND);
        drive(Jail.ROOT, true);
        drive(Jail.DISK, false);
        api.put("/network-interfaces/" + INTERFACE, out -> {
            out.writeStringProperty("iface_id", INTERFACE);
            out.writeStringProperty("guest_mac", MAC);
            out.writeStringProperty("host_dev_name", vm.tap());
            networkRates(out);
        }, BOUND);
        api.put("/vsock", out -> {
            out.writeNumberProperty("guest_cid", GUEST_CID);
            out.writeStringProperty("uds_path", "/" + Jail.VSOCK);
        }, BOUND);
        api.put("/entropy", out -> {
            out.writeObjectPropertyStart("rate_limiter");
            bucket(out, "bandwidth", ENTROPY_BYTES_PER_SECOND);
            out.writeEndObject();
        }, BOUND);
        api.put("/balloon", out -> {
            out.writeNumberProperty("amount_mib", 0);
            out.writeBooleanProperty("deflate_on_oom", true);
            out.writeNumberProperty("stats_polling_interval_s", 0);
        }, BOUND);
    }

    /// In this order the guest finds them: /dev/vda, /dev/vdb.
    private void drive(String name, boolean readOnly) throws IOException, InterruptedException {
        api.put("/drives/" + name, out -> {
            out.writeStringProperty("drive_id", name);
            out.writeStringProperty("path_on_host", "/" + name);
            out.writeBooleanProperty("is_root_device", false);
            out.writeBooleanProperty("is_read_only", readOnly);
            diskRates(out);
        }, BOUND);
    }

    void start() throws IOException, InterruptedException {
        api.put("/actions", out -> out.writeStringProperty("action_type", "InstanceStart"), BOUND);
    }

    void pause() throws IOException, InterruptedException {
        state("Paused");
    }

    void resume() throws IOException, InterruptedException {
        state("Resumed");
    }

    private void state(String state) throws IOException, InterruptedException {
        api.patch("/vm", out -> out.writeStringProperty("state", state), BOUND);
    }

    void freeze() throws IOException, InterruptedException {
        api.put("/snapshot/create", out -> {
            out.writeStringProperty("snapshot_type", "Full");
            out.writeStringProperty("snapshot_path", "/" + Jail.FROZEN_STATE);
            out.writeStringProperty("mem_file_path", "/" + Jail.FROZEN_MEMORY);
        }, FREEZE_BOUND);
    }

    /// Loads a snapshot and lets it go on. Its vsock needs no other path than in the frozen one's jail.
    void load() throws IOException, InterruptedException {
        api.put("/snapshot/load", out -> {
            out.writeStringProperty("snapshot_path", "/" + Jail.STATE);
            out.writeObjectPropertyStart("mem_backend");
            out.writeStringProperty("backend_type", "File");
            out.writeStringProperty("backend_path", "/" + Jail.MEMORY);
            out.writeEndObject();
            out.writeArrayPropertyStart("network_overrides");
            out.writeStartObject();
            out.writeStringProperty("iface_id", INTERFACE);
            out.writeStringProperty("host_dev_name", vm.tap());
            out.writeEndObject();
            out.writeEndArray();
            out.writeBooleanProperty("resume_vm", true);
        }, LOAD_BOUND);
    }

    /// A snapshot brings the rates of the machine that was frozen.
    void rates() throws IOException, InterruptedException {
        for (String drive : new String[] {Jail.ROOT, Jail.DISK}) {
            patch("/drives/" + drive, out -> {
                out.writeStringProperty("drive_id", drive);
                diskRates(out);
            });
        }
        patch("/network-interfaces/" + INTERFACE, out -> {
            out.writeStringProperty("iface_id", INTERFACE);
            networkRates(out);
        });
    }

    private void patch(String path, Consumer<JsonGenerator> keys) throws IOException, InterruptedException {
        api.patch(path, keys, BOUND);
    }

    private void diskRates(JsonGenerator out) {
        DeviceRates rates = vm.rates();
        out.writeObjectPropertyStart("rate_limiter");
        bucket(out, "bandwidth", rates.diskBytesPerSecond());
        bucket(out, "ops", rates.diskOperationsPerSecond());
        out.writeEndObject();
    }

    private void networkRates(JsonGenerator out) {
        for (String direction : new String[] {"rx_rate_limiter", "tx_rate_limiter"}) {
            out.writeObjectPropertyStart(direction);
            bucket(out, "bandwidth", vm.rates().networkBytesPerSecond());
            out.writeEndObject();
        }
    }

    private static void bucket(JsonGenerator out, String name, long perSecond) {
        out.writeObjectPropertyStart(name);
        out.writeNumberProperty("size", Math.max(1, perSecond * REFILL_MILLIS / 1000));
        out.writeNumberProperty("refill_time", REFILL_MILLIS);
        out.writeEndObject();
    }
}
