/// What tests on real runtimes share: a home of their own, the servers as processes, and the leak checker.
@NullMarked
package dev.caisson.testing;

import org.jspecify.annotations.NullMarked;
