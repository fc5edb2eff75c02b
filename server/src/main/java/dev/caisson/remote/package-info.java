/// The [dev.caisson.sandbox.Sandboxes] interface across a link: the calling end for the front, the serving end for the node.
///
/// Read first: [RemoteSandboxes], [SandboxesServer], [Call].
/// Refuses to do: deciding anything; the far end's answer is handed on as it is.
@NullMarked
package dev.caisson.remote;

import org.jspecify.annotations.NullMarked;
