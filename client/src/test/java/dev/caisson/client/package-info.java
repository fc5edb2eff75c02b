@NullMarked
package dev.caisson.client;

import org.jspecify.annotations.NullMarked;
