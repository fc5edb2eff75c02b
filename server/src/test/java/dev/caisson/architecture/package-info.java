/// The rules of the house as tests, each with a planted violation that proves it bites.
@NullMarked
package dev.caisson.architecture;

import org.jspecify.annotations.NullMarked;
