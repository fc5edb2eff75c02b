package dev.caisson.client;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// What a sandbox is to be let out to. What denies comes first, then rules in their order, then what allows, then presets; the first that fits decides.
///
/// A host is written `api.example.com`, `*.example.com` (every name below it, not itself), an address, or a network such as `192.0.2.0/24`; behind it may stand
/// `:PORT`, and behind that a protocol: `/tls`, `/http` or `/tcp`. Without them a host is TLS at 443 and HTTP at 80, a network is TCP at every port.
///
/// Threads: immutable; each `with…` answers a changed copy.
public final class EgressOptions {
    private final Map<String, Json> members;

    private EgressOptions(Map<String, Json> members) {
        this.members = members;
    }

    /// Nothing leaves; what a sandbox has that nobody says anything of.
    public static EgressOptions none() {
        return new EgressOptions(Map.of("mode", Json.of("none")));
    }

    /// Only what is allowed.
    public static EgressOptions list() {
        return new EgressOptions(Map.of("mode", Json.of("list")));
    }

    /// The public internet, but for what is denied. The operator of the installation has to have consented.
    public static EgressOptions open() {
        return new EgressOptions(Map.of("mode", Json.of("open")));
    }

    public EgressOptions withAllow(String... hosts) {
        return withMore("allow", texts(hosts));
    }

    /// Whatever else allows it.
    public EgressOptions withDeny(String... hosts) {
        return withMore("deny", texts(hosts));
    }

    /// Lists of rules that the installation keeps, such as `model-apis`.
    public EgressOptions withPreset(String... names) {
        return withMore("presets", texts(names));
    }

    /// A rule as the REST API takes it, for what the others cannot say: methods and paths, several ports.
    public EgressOptions withRule(Json rule) {
        return withMore("rules", List.of(rule));
    }

    /// @param connections open at a time, 1 to 10,000
    /// @param bytes both ways together, over its whole life; 0 means no bound
    /// @param requestsPerSecond connections, HTTP requests and names looked up, 1 to 10,000
    public EgressOptions withBudget(int connections, long bytes, int requestsPerSecond) {
        return with("budget", Json.object().put("connections", connections).put("bytes", bytes).put("requests_per_second", requestsPerSecond).done());
    }

    private static List<Json> texts(String... values) {
        return List.of(values).stream().map(Json::of).toList();
    }

    private EgressOptions withMore(String name, List<? extends Json> values) {
        var all = new ArrayList<Json>(members.get(name) instanceof Json.Array(var before) ? before : List.of());
        all.addAll(values);
        return with(name, new Json.Array(all));
    }

    private EgressOptions with(String name, Json value) {
        var copy = new TreeMap<>(members);
        copy.put(name, value);
        return new EgressOptions(copy);
    }

    Json.Obj json() {
        return new Json.Obj(members);
    }

    @Override
    public String toString() {
        return json().write();
    }
}
