package dev.caisson.sandbox;

/// Ports from `first` to `last`, both included, 1 to 65535.
public record PortRange(int first, int last) {
    public PortRange {
        if (first < 1 || last > 65_535 || first > last) {
            throw Failure.Code.OUT_OF_RANGE.with("not ports: " + first + "-" + last, "ports are 1 to 65535, written like 443 or 8000-8100");
        }
    }

    public static PortRange of(int port) {
        return new PortRange(port, port);
    }

    /// `443` or `8000-8100`, in plain decimal digits.
    public static PortRange parse(String text) {
        if (!text.matches("[0-9]{1,5}(-[0-9]{1,5})?")) {
            throw Failure.Code.BAD_REQUEST.with("not a port: '" + Failure.shown(text) + "'", "ports are 1 to 65535, written like 443 or 8000-8100");
        }
        int dash = text.indexOf('-');
        int first = Integer.parseInt(dash < 0 ? text : text.substring(0, dash));
        return new PortRange(first, dash < 0 ? first : Integer.parseInt(text.substring(dash + 1)));
    }

    public boolean contains(int port) {
        return first <= port && port <= last;
    }

    @Override
    public String toString() {
        return first == last ? Integer.toString(first) : first + "-" + last;
    }
}
