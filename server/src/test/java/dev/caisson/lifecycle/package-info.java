/// Tests of a promise, on real runtimes: what happens to a sandbox between its creation and its end.
@NullMarked
package dev.caisson.lifecycle;

import org.jspecify.annotations.NullMarked;
