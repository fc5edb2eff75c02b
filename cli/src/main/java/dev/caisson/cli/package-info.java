/// The `caisson` command: one class per word, and what starts and ends the installation's own processes.
///
/// Read first: [Main], [RunCommand], [Session], [Installation].
/// Refuses to do: anything to sandboxes but over the REST API, as every other client; it shares no code with the server.
@NullMarked
package dev.caisson.cli;

import org.jspecify.annotations.NullMarked;
