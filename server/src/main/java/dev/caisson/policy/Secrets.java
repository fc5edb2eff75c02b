package dev.caisson.policy;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Sandboxes;
import dev.caisson.sandbox.SecretBinding;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Takes secrets in: each value is sealed at once, and a placeholder stands for it inside the sandbox. No value is kept or told.
///
/// Threads: safe for many.
public final class Secrets {
    private final SecretSealer sealer;

    public Secrets(SecretSealer sealer) {
        this.sealer = sealer;
    }

    /// A secret with a placeholder of its own.
    ///
    /// @param places where it is put into requests; empty means headers
    /// Errors: [Failure.Code#BAD_REQUEST], [Failure.Code#OUT_OF_RANGE], and what the sealer says.
    public SecretBinding bind(String name, String value, List<HostPattern> hosts, Set<SecretBinding.Place> places) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        try {
            if (bytes.length == 0 || bytes.length > SecretBinding.MAX_VALUE_BYTES) {
                throw Failure.Code.OUT_OF_RANGE.with("the value of a secret has 1 to " + SecretBinding.MAX_VALUE_BYTES + " bytes, that of '" + Failure.shown(name) + "' has " + bytes.length,
                        "give the secret alone");
            }
            boolean bodyOnly = places.equals(Set.of(SecretBinding.Place.BODY));
            if (!bodyOnly && value.chars().anyMatch(c -> c < 0x20 && c != '\t' || c == 0x7f)) {
                throw Failure.Code.BAD_REQUEST.with("the value of the secret '" + Failure.shown(name) + "' has control characters, such as the end of a line, which cannot stand in a header",
                        "give it without them, or let it be replaced in bodies only");
            }
            return sealer.seal(name, hosts, places, bytes);
        } finally {
            Arrays.fill(bytes, (byte) 0);
        }
    }

    /// Those variables, and one for each secret that holds its placeholder.
    ///
    /// Errors: [Failure.Code#BAD_REQUEST] for a name that is there already.
    public static Map<String, String> variables(Map<String, String> env, List<SecretBinding> secrets) {
        var all = new HashMap<>(env);
        for (SecretBinding secret : secrets) {
            if (all.putIfAbsent(secret.name(), secret.placeholder()) != null) {
                throw Failure.Code.BAD_REQUEST.with("'" + secret.name() + "' is a variable already, so it cannot be a secret's name", "name one of them differently");
            }
        }
        return all;
    }

    /// A create that is asked again makes new placeholders and seals anew; where it is meant to answer a living sandbox, that one's are what it means. Values
    /// cannot be compared: that they are the same is the caller's word.
    ///
    /// @param spec with an idempotency key
    /// @param sandboxes as the caller sees them
    public static List<SecretBinding> asBefore(String tenant, String idempotencyKey, List<SecretBinding> made, Sandboxes sandboxes) {
        if (idempotencyKey.isEmpty() || made.isEmpty()) {
            return made;
        }
        return sandboxes.list().stream().map(SandboxInfo::spec)
                .filter(spec -> spec.tenant().equals(tenant) && spec.idempotencyKey().equals(idempotencyKey))
                .map(SandboxSpec::egress)
                .map(egress -> egress.secrets())
                .filter(before -> alike(before, made))
                .findFirst().orElse(made);
    }

    private static boolean alike(List<SecretBinding> some, List<SecretBinding> others) {
        if (some.size() != others.size()) {
            return false;
        }
        for (int i = 0; i < some.size(); i++) {
            var one = some.get(i);
            var other = others.get(i);
            if (!one.name().equals(other.name()) || !one.hosts().equals(other.hosts()) || !one.places().equals(other.places())) {
                return false;
            }
        }
        return true;
    }
}
