/// The door for clients of E2B: its control plane (`/sandboxes`, `/v2/sandboxes`, …) and, on the same port, its data plane inside each sandbox (processes,
/// files), so that published clients work unchanged.
///
/// Read first: [E2bDoor] (what it takes), [ControlPlane] (the table of paths), [DataPlane] (who is let through to a sandbox), [ProcessService].
/// `docs/compatibility/e2b.md` has what is served and what differs.
/// Refuses to do: anything the engine does not do; what is absent is said to be, never pretended.
@NullMarked
package dev.caisson.api.e2b;

import org.jspecify.annotations.NullMarked;
