/// The Java end of the agent: what can be asked of the program inside a sandbox.
///
/// Read first: [Agent]; agent.proto has the messages.
/// Refuses to do: knowing which sandbox this is or how it is walled in.
@NullMarked
package dev.caisson.guest;

import org.jspecify.annotations.NullMarked;
