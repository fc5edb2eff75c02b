/// The Java SDK of Caisson: sandboxes, commands, files and receipts over the REST API, with nothing but the JDK.
///
/// Read first: [Caisson], [Sandbox], [RunningCommand].
/// Refuses to do: asynchronous callbacks and futures; every call blocks, and belongs on a virtual thread when there are many.
@NullMarked
package dev.caisson.client;

import org.jspecify.annotations.NullMarked;
