/// Frames, streams and credit over one byte stream: towards agents and between our own processes.
///
/// Read first: [Link], [LinkStream]; docs/link.md has the wire.
/// Refuses to do: believing the other side: every frame is bounded, typed, and refused when unknown.
@NullMarked
package dev.caisson.link;

import org.jspecify.annotations.NullMarked;
