package dev.caisson.runtime.microvm;

/// Runs sandboxes as microVMs, whichever VMM runs them.
public final class MicrovmDriver {
    private MicrovmDriver() {}
}
