/// What all doors stand on: the port, and who answers what.
///
/// Read first: [HttpListener] (the port), [Doors] (who takes a request). Each door is a package below.
/// Refuses to do: deciding anything about sandboxes; speaking a dialect itself.
@NullMarked
package dev.caisson.api;

import org.jspecify.annotations.NullMarked;
