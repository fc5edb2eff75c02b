/// The one JSON form of the words in `sandbox`: what the REST door speaks, our own processes say to each other, the journal and receipts hold.
///
/// Read first: [Forms] (one form a record), [JsonObject] (the strict way in).
/// The rules: UTF-8 without byte order mark; keys in snake_case with their unit; durations are numbers with a fraction when they need one; times are
/// ISO 8601 in UTC; words of a fixed list are lower case with hyphens; unknown and repeated keys are refused by name; `null` is absence.
/// Refuses to do: guessing, defaults (a door's business), any I/O.
@NullMarked
package dev.caisson.json;

import org.jspecify.annotations.NullMarked;
