/// The only room that touches the Linux kernel: child processes, cgroups v1 and v2, mounts, loop devices, network namespaces, native calls.
///
/// Read first: [Reclaimer] (releases and checks any resource of a sandbox), [Cgroups].
/// Refuses to do: deciding anything about sandboxes; running a shell on text of a stranger's.
@NullMarked
package dev.caisson.host;

import org.jspecify.annotations.NullMarked;
