package dev.caisson.sandbox;

import java.net.IDN;
import java.util.Locale;
import java.util.regex.Pattern;

/// A host's name, or all names below one.
///
/// @param suffix the name in its one spelling ([#normal])
/// @param wildcard every name with at least one label before the suffix, and not the suffix itself
public record HostPattern(String suffix, boolean wildcard) {
    private static final Pattern LABEL = Pattern.compile("[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?");
    private static final int MAX_CHARS = 253;

    public HostPattern {
        suffix = normal(suffix);
        if (wildcard && suffix.indexOf('.') < 0) {
            throw Failure.Code.BAD_REQUEST.with("the wildcard *." + suffix + " covers a whole top level", "name a domain below it");
        }
    }

    /// `api.example.com` or `*.example.com`; upper case, a trailing dot and Unicode are brought to the one spelling.
    public static HostPattern parse(String text) {
        boolean wildcard = text.startsWith("*.");
        String rest = wildcard ? text.substring(2) : text;
        if (rest.indexOf('*') >= 0) {
            throw Failure.Code.BAD_REQUEST.with("not a host: '" + Failure.shown(text) + "'",
                    "a wildcard stands for whole labels in front, as in *.example.com" + (text.equals("*") ? "; for everything use mode open" : ""));
        }
        return new HostPattern(rest, wildcard);
    }

    /// A host's name in its one spelling: lower case, Punycode, without a trailing dot.
    ///
    /// Errors: [Failure.Code#BAD_REQUEST] for what is not a host's name, an address among it.
    public static String normal(String name) {
        String ascii = name;
        if (!name.chars().allMatch(c -> c < 128)) {
            try {
                ascii = IDN.toASCII(name, IDN.USE_STD3_ASCII_RULES);
            } catch (IllegalArgumentException _) {
                throw notAHost(name);
            }
        }
        ascii = ascii.toLowerCase(Locale.ROOT);
        ascii = ascii.endsWith(".") ? ascii.substring(0, ascii.length() - 1) : ascii;
        if (ascii.isEmpty() || ascii.length() > MAX_CHARS) {
            throw notAHost(name);
        }
        String last = "";
        for (String label : ascii.split("\\.", -1)) {
            if (!LABEL.matcher(label).matches()) {
                throw notAHost(name);
            }
            last = label;
        }
        // inet_aton takes 0x7f.1, 017700000001 and 2852039166 for addresses: a name's last label is never a number.
        if (last.matches("[0-9]+|0x[0-9a-f]*")) {
            throw Failure.Code.BAD_REQUEST.with("not a host's name but an address: '" + Failure.shown(name) + "'", "write addresses as networks, such as 192.0.2.7/32");
        }
        return ascii;
    }

    private static SandboxException notAHost(String name) {
        return Failure.Code.BAD_REQUEST.with("not a host: '" + Failure.shown(name) + "'", "write it like api.example.com or *.example.com");
    }

    /// @param host in its one spelling
    public boolean fits(String host) {
        return wildcard ? host.length() > suffix.length() + 1 && host.endsWith(suffix) && host.charAt(host.length() - suffix.length() - 1) == '.' : host.equals(suffix);
    }

    @Override
    public String toString() {
        return wildcard ? "*." + suffix : suffix;
    }
}
