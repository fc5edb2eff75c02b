/// Sandboxes asked over a link.
@NullMarked
package dev.caisson.remote;

import org.jspecify.annotations.NullMarked;
