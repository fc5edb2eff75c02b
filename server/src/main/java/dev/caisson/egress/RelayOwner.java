package dev.caisson.egress;

import java.io.IOException;

/// Who a relayed connection belongs to: is asked about each request, dials, and writes down what happens.
///
/// Threads: called from the relay's own and from those that it starts, two at once.
interface RelayOwner {
    /// What becomes of one request.
    sealed interface Answer {}

    /// @param rule that allowed it
    record Allowed(String rule) implements Answer {}

    /// @param rule that denied it; the sandbox is told it, and the reason
    record Denied(String rule, String reason) implements Answer {}

    /// True when rules are about paths: doubtful ones are refused then.
    boolean looksAtPaths();

    /// Judges a request before anything of it is sent, or dialed for.
    ///
    /// @param path up to the query
    Answer request(String method, String path);

    /// Connects to the destination. For TLS the certificate has been verified for its host.
    ///
    /// Errors: the message goes to the sandbox, which gets an answer of status 502.
    Wire dial() throws IOException;

    /// Bytes that were sent out, or came in from there; heads count, of TLS only what is inside. To end the connection, call [HttpRelay#cut].
    void moved(int sent, int received);

    /// The answer to a request has been passed on, or has begun to be.
    void answered(String method, String path, int status);

    /// Something was not understood, or failed; the sandbox was told so.
    void refused(int status, String reason);

    /// A secret's placeholder was in a request where it is not replaced.
    ///
    /// @param secret its name
    /// @param where such as `header Authorization`, `path`, `query` or `body`
    void placeholderSeen(String secret, String where);
}
