/// Tests of a promise, on real runtimes: isolation.
@NullMarked
package dev.caisson.isolation;

import org.jspecify.annotations.NullMarked;
