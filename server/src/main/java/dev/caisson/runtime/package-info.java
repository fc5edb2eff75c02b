/// Drivers: the code that puts a sandbox behind one kind of wall.
///
/// Read first: [Driver], [Boot].
/// Refuses to do: remembering anything (the journal does), talking to agents (`guest` does), tearing down (`host`'s reclaimer does,
/// from the list of resources that a driver declares).
@NullMarked
package dev.caisson.runtime;

import org.jspecify.annotations.NullMarked;
