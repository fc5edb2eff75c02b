/// Tests of a promise, on real runtimes: what others' clients expect is there.
@NullMarked
package dev.caisson.compatibility;

import org.jspecify.annotations.NullMarked;
