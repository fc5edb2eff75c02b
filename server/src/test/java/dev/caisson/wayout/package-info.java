/// Tests of a promise, on real runtimes: what leaves a sandbox is what its rules allow, judged at the other end.
@NullMarked
package dev.caisson.wayout;

import org.jspecify.annotations.NullMarked;
