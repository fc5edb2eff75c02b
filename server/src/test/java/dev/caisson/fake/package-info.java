/// Stand-ins made by hand, for tests of the rooms above them.
@NullMarked
package dev.caisson.fake;

import org.jspecify.annotations.NullMarked;
