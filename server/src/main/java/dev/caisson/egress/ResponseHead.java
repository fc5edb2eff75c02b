package dev.caisson.egress;

/// An answer's head as it was sent.
///
/// @param minor of HTTP/1: 0 or 1
record ResponseHead(int minor, int status, String reason, HeadFields fields) {
    boolean isInterim() {
        return status < 200 && status != 101;
    }
}
