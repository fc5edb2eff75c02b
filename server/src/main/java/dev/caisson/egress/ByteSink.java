package dev.caisson.egress;

import java.io.IOException;

/// Takes bytes; the array is the caller's again afterwards.
interface ByteSink {
    void write(byte[] bytes, int offset, int length) throws IOException;
}
