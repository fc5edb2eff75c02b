/// Settings and wiring: one Main per process.
///
/// Read first: [NodeMain], [FrontMain], [DeadmanMain].
/// Refuses to do: anything but putting the rooms together.
@NullMarked
package dev.caisson.app;

import org.jspecify.annotations.NullMarked;
