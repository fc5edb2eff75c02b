/// The words of Caisson as values: what a sandbox is, what may be asked of it, how it lives and ends.
///
/// Read first: [Sandboxes] (the interface every door knows), [SandboxSpec], [Life] (which request is legal in which state).
/// Refuses to do: I/O of any kind, reading the clock, making random numbers.
@NullMarked
package dev.caisson.sandbox;

import org.jspecify.annotations.NullMarked;
