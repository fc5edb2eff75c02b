/// Tests of a promise, through the real command line: the programs of examples/hostile do no harm, and say what stopped them.
@NullMarked
package dev.caisson.hostile;

import org.jspecify.annotations.NullMarked;
