package dev.caisson.client;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// What a sandbox is to be made from. What is not said is the installation's default: template `base`, untrusted code, the weakest tier that may run it, 1 CPU, 512 MiB of memory,
/// 256 processes, 1 GiB of disk, a lease of 5 minutes.
///
/// Threads: immutable; each `with…` answers a changed copy.
public final class SandboxOptions {
    private final Map<String, Json> members;

    private SandboxOptions(Map<String, Json> members) {
        this.members = members;
    }

    public static SandboxOptions defaults() {
        return new SandboxOptions(Map.of());
    }

    public SandboxOptions withTemplate(String name) {
        return with("template", Json.of(name));
    }

    public SandboxOptions withTrust(Trust trust) {
        return with("trust", Json.of(trust.label()));
    }

    /// A tier stronger than the trust asks for, or exactly it; a weaker one is refused with `tier-too-weak`.
    public SandboxOptions withTier(Tier tier) {
        return with("tier", Json.of(tier.label()));
    }

    /// What is to run it; its tier need not be named then. An emulated one is refused for code that needs a wall, unless the operator accepts it.
    public SandboxOptions withDriver(Driver driver) {
        return with("driver", Json.of(driver.label()));
    }

    /// CPU time per second of wall time. Range: 0.01 to 256.
    public SandboxOptions withCpus(double cpus) {
        return with("cpus", Json.of(cpus));
    }

    /// Unit: bytes. At least 64 MiB.
    public SandboxOptions withMemory(long bytes) {
        return with("memory_bytes", Json.of(bytes));
    }

    /// Unit: bytes that may be written. At least 16 MiB.
    public SandboxOptions withDisk(long bytes) {
        return with("disk_bytes", Json.of(bytes));
    }

    /// Processes and threads of one user inside. Range: 8 to 32,768.
    public SandboxOptions withProcesses(int count) {
        return with("processes", Json.of(count));
    }

    /// Open descriptors of one process. Range: 64 to 1,048,576.
    public SandboxOptions withOpenFiles(int count) {
        return with("open_files", Json.of(count));
    }

    /// How long it may live, whoever is connected. Range: 1 second to 24 hours.
    public SandboxOptions withLease(Duration lease) {
        return with("lease_seconds", Json.of(Words.seconds(lease)));
    }

    /// Variables of every command in it.
    public SandboxOptions withEnv(Map<String, String> env) {
        return with("env", Json.of(env));
    }

    /// Free text for finding it again; at most 64 pairs.
    public SandboxOptions withLabels(Map<String, String> labels) {
        return with("labels", Json.of(labels));
    }

    /// A create with the key of a sandbox that still lives answers that one; with another spec it fails with `idempotency-mismatch`.
    ///
    /// @param key 1 to 255 of letters, digits, `-` and `_`
    public SandboxOptions withIdempotencyKey(String key) {
        return with("idempotency_key", Json.of(key));
    }

    /// The end of the lease pauses it instead of deleting it.
    public SandboxOptions withPauseAtLeaseEnd() {
        return with("on_lease_end", Json.of("pause"));
    }

    /// Lets whoever knows its id reach its ports through their preview URLs.
    public SandboxOptions withPublicPorts() {
        return with("public_ports", Json.of(true));
    }

    /// What it may reach outside. Unless it is said, nothing.
    public SandboxOptions withEgress(EgressOptions egress) {
        return with("egress", egress.json());
    }

    /// Lets it out to these hosts and no others; see [EgressOptions] for how they are written.
    public SandboxOptions withAllow(String... hosts) {
        return withEgress(EgressOptions.list().withAllow(hosts));
    }

    /// Lets it use a secret that it never sees: its variable `name` holds a placeholder, and in headers of requests to these hosts over TLS the value takes its place.
    ///
    /// @param value at most 16 KiB; the installation seals it at once and never tells it again
    /// @param hosts such as `api.example.com` or `*.example.com`, 1 to 16; they count as allowed
    public SandboxOptions withSecret(String name, String value, String... hosts) {
        var all = new ArrayList<Json>(members.get("secrets") instanceof Json.Array(var before) ? before : List.of());
        all.add(Json.object().put("name", name).put("value", value).put("hosts", Json.of(List.of(hosts))).done());
        return with("secrets", new Json.Array(all));
    }

    private SandboxOptions with(String name, Json value) {
        var copy = new TreeMap<>(members);
        copy.put(name, value);
        return new SandboxOptions(copy);
    }

    Json.Obj json() {
        return new Json.Obj(members);
    }

    /// Without the values of secrets.
    @Override
    public String toString() {
        if (!(members.get("secrets") instanceof Json.Array(var secrets))) {
            return json().write();
        }
        return with("secrets", Json.array(secrets.stream().map(each -> new Json.Obj(masked(((Json.Obj) each).members()))).toList())).json().write();
    }

    private static Map<String, Json> masked(Map<String, Json> secret) {
        var masked = new TreeMap<>(secret);
        masked.put("value", Json.of("***"));
        return masked;
    }
}
