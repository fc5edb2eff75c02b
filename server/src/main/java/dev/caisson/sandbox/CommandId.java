package dev.caisson.sandbox;

import java.util.regex.Pattern;

/// Names one command inside one sandbox.
///
/// Shape: `c` and a positive decimal number, counted by the node per sandbox; never used twice in one sandbox.
public record CommandId(String value) {
    private static final Pattern SHAPE = Pattern.compile("c[1-9][0-9]{0,17}");

    public CommandId {
        if (!SHAPE.matcher(value).matches()) {
            throw Failure.Code.BAD_REQUEST.with("not a command id: '" + Failure.shown(value) + "'", "command ids look like c1; list them with GET /v1/sandboxes/{id}/commands");
        }
    }

    public static CommandId of(long number) {
        return new CommandId("c" + number);
    }

    public long number() {
        return Long.parseLong(value, 1, value.length(), 10);
    }

    @Override
    public String toString() {
        return value;
    }
}
