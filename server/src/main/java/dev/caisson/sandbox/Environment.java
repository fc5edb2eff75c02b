package dev.caisson.sandbox;

import java.util.Map;

/// The rule for environment variables, the same for sandboxes and commands.
final class Environment {
    static final int MAX_VARIABLES = 1_024;
    /// Linux refuses one string above 128 KiB (MAX_ARG_STRLEN).
    static final int MAX_VARIABLE_CHARS = 128 * 1024 - 2;

    private Environment() {}

    static Map<String, String> checked(Map<String, String> env) {
        if (env.size() > MAX_VARIABLES) {
            throw Failure.Code.OUT_OF_RANGE.with("more than " + MAX_VARIABLES + " environment variables", "pass them in a file");
        }
        env.forEach((name, value) -> {
            if (name.isEmpty() || name.indexOf('=') >= 0 || name.indexOf('\0') >= 0 || value.indexOf('\0') >= 0) {
                throw Failure.Code.BAD_REQUEST.with("not an environment variable: '" + Failure.shown(name) + "'", "names are non-empty, without '=' and NUL; values without NUL");
            }
            if (name.length() + value.length() > MAX_VARIABLE_CHARS) {
                throw Failure.Code.OUT_OF_RANGE.with("environment variable '" + Failure.shown(name) + "' is longer than 128 KiB", "pass it in a file");
            }
        });
        return Map.copyOf(env);
    }
}
