package dev.caisson.sandbox;

/// Whom a rule is about.
public sealed interface EgressTarget {
    /// A host by its name, which is looked up by the gateway alone.
    record Host(HostPattern pattern) implements EgressTarget {
        @Override
        public String toString() {
            return pattern.toString();
        }
    }

    /// Addresses, also without a name.
    record Network(Cidr cidr) implements EgressTarget {
        @Override
        public String toString() {
            return cidr.toString();
        }
    }

    /// A host name, a wildcard such as `*.example.com`, an address, or a network such as `192.0.2.0/24`.
    static EgressTarget parse(String text) {
        return Cidr.looksLikeOne(text) ? new Network(Cidr.parse(text)) : new Host(HostPattern.parse(text));
    }
}
