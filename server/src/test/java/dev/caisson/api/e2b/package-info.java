/// The door for clients of E2B: its codec, its signatures, its refusals.
@NullMarked
package dev.caisson.api.e2b;

import org.jspecify.annotations.NullMarked;
