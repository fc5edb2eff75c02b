package dev.caisson.egress;

/// A request's head as it was sent.
///
/// @param minor of HTTP/1: 0 or 1
record RequestHead(String method, String target, int minor, HeadFields fields) {}
