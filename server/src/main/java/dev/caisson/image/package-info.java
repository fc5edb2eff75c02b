/// Templates: from a recipe of Debian packages to one read-only root image in a content store, verified on read.
///
/// Read first: [Images].
/// Refuses to do: starting sandboxes.
@NullMarked
package dev.caisson.image;

import org.jspecify.annotations.NullMarked;
