/// This machine's sandboxes: keepers, leases, journal, teardown, sweep at start, and the deadman.
///
/// Read first: [Node], [Keeper], [Journal].
/// Refuses to do: HTTP, policy, knowing clients.
@NullMarked
package dev.caisson.node;

import org.jspecify.annotations.NullMarked;
