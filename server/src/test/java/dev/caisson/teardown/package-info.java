/// Tests of a promise, on real runtimes: teardown.
@NullMarked
package dev.caisson.teardown;

import org.jspecify.annotations.NullMarked;
