/// Tests of a promise, through the real command line: what cannot be done is refused with the way out, and leaves nothing.
@NullMarked
package dev.caisson.badinput;

import org.jspecify.annotations.NullMarked;
