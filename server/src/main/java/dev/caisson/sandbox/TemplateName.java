package dev.caisson.sandbox;

import java.util.regex.Pattern;

/// The name of a template, such as `base`: 1 to 64 characters of `a-z 0-9 . _ -`, starting with a letter or digit.
public record TemplateName(String value) {
    private static final Pattern SHAPE = Pattern.compile("[a-z0-9][a-z0-9._-]{0,63}");
    public static final TemplateName BASE = new TemplateName("base");

    public TemplateName {
        if (!SHAPE.matcher(value).matches()) {
            throw Failure.Code.BAD_REQUEST.with("not a template name: '" + Failure.shown(value) + "'", "use 1 to 64 characters of a-z 0-9 . _ -");
        }
    }

    @Override
    public String toString() {
        return value;
    }
}
