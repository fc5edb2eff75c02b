package dev.caisson.host;

import java.io.IOException;

/// A system call that the kernel refused; names the call, the object and the error.
public final class NativeException extends IOException {
    private final int errno;

    NativeException(String call, String object, int errno) {
        super(call + " " + object + ": " + Errno.name(errno));
        this.errno = errno;
    }

    /// Linux's error number, such as 16 for EBUSY.
    public int errno() {
        return errno;
    }
}
