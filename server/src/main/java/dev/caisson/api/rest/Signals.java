package dev.caisson.api.rest;

import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.Failure;
import java.util.List;
import java.util.Locale;

/// Names of signals. The numbers are those of Linux on x86-64 and arm64 (`signal(7)`).
final class Signals {
    private static final List<String> NAMES = List.of(
            "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT",
            "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS");

    private Signals() {}

    /// The `signal` of a body: a name with or without `SIG`, or a number from 1 to 64.
    static int read(JsonObject in) {
        if (!in.isText("signal")) {
            return in.whole("signal", 1, 64);
        }
        String text = in.text("signal");
        String name = text.toUpperCase(Locale.ROOT);
        int index = NAMES.indexOf(name.startsWith("SIG") ? name.substring(3) : name);
        if (index < 0) {
            throw Failure.Code.BAD_REQUEST.with("unknown signal '" + Failure.shown(text) + "'", "name one such as TERM, KILL or INT, or give its number");
        }
        return index + 1;
    }
}
