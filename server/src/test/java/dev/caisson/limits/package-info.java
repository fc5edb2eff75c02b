/// Tests of a promise, on real runtimes: limits.
@NullMarked
package dev.caisson.limits;

import org.jspecify.annotations.NullMarked;
