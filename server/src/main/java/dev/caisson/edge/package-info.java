/// Preview URLs: bytes from a client to the right port of the right sandbox, and back; and the TLS they come over.
///
/// Read first: [PreviewDoor] (who takes a request, and what its name means), [Admission] (who may), [Forwarder] (the exchange), [Certificates] (TLS).
/// Refuses to do: routing into a sandbox by address; reading what is carried beyond the heads of messages.
@NullMarked
package dev.caisson.edge;

import org.jspecify.annotations.NullMarked;
