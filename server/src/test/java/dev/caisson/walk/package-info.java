/// Tests of a promise, on real runtimes: walk.
@NullMarked
package dev.caisson.walk;

import org.jspecify.annotations.NullMarked;
