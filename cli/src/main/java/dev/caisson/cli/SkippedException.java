package dev.caisson.cli;

/// A measure cannot be taken on this machine; its message says why.
final class SkippedException extends Exception {
    private static final long serialVersionUID = 1;

    SkippedException(String why) {
        super(why);
    }
}
