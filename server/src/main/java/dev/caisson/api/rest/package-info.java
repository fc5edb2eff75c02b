/// The REST door: HTTP under `/v1`, translated to `Sandboxes`. `docs/openapi.yaml` is its contract, and is served by it.
///
/// Read first: [RestDoor] (what it is made of), [Routes] (the table of everything it answers), [Call] (one request).
/// A request walks: `RestHandler` finds the route and the caller, the resource's handler translates, [Problem] says what went wrong.
/// Refuses to do: deciding anything about sandboxes; keeping state but for open streams and figures.
@NullMarked
package dev.caisson.api.rest;

import org.jspecify.annotations.NullMarked;
