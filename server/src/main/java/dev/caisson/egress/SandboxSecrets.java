package dev.caisson.egress;

import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SecretBinding;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// The secrets of one sandbox, opened.
///
/// Threads: safe for many.
/// Cleanup: close wipes the values; requests that are under way may then carry zeros.
final class SandboxSecrets implements AutoCloseable {
    static final SandboxSecrets NONE = new SandboxSecrets(List.of());

    /// One of them, ready to be put into requests.
    record Opened(SecretBinding binding, SecretValue value) {
        /// Each byte one character.
        String text() {
            return new String(value.bytes(), StandardCharsets.ISO_8859_1);
        }
    }

    /// What of them is good for one destination.
    ///
    /// @param bound to it
    /// @param all also those that are not, which must not be sent there; the longest placeholder first
    record ForHost(List<Opened> bound, List<Opened> all) {
        boolean isEmpty() {
            return all.isEmpty();
        }

        boolean isBound(Opened secret, SecretBinding.Place place) {
            return bound.contains(secret) && secret.binding.places().contains(place);
        }
    }

    private final List<Opened> opened;

    private SandboxSecrets(List<Opened> opened) {
        this.opened = opened.stream().sorted(Comparator.comparingInt((Opened each) -> each.binding.placeholder().length()).reversed()).toList();
    }

    /// Errors: as [SealKey#open]; then none is open.
    static SandboxSecrets open(List<SecretBinding> bindings, SealKey key) {
        var opened = new ArrayList<Opened>();
        try {
            for (SecretBinding binding : bindings) {
                opened.add(new Opened(binding, key.open(binding)));
            }
            return new SandboxSecrets(opened);
        } catch (SandboxException e) {
            opened.forEach(each -> each.value.close());
            throw e;
        }
    }

    /// Without TLS, and at an address without a name, nothing is bound.
    ForHost at(Destination to) {
        return new ForHost(opened.stream().filter(each -> to.tls() && each.binding.hosts().stream().anyMatch(host -> host.fits(to.host()))).toList(), opened);
    }

    @Override
    public void close() {
        opened.forEach(each -> each.value.close());
    }
}
