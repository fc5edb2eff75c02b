package dev.caisson.egress;

/// What the node may ask of the gateway. A stream's opening message is a JSON object with the label of one as `call`; the answer is one object, or
/// `{"failure": …}`; then the stream closes. Before it may come others that each have a part of what was asked for.
enum GatewayCall {
    /// A registration; with `"trust": true` → `{"trust": …}` where TLS of the sandbox is opened; else → an empty object. In force when it answers.
    REGISTER,
    /// `sandbox` → an empty object; its connections are cut, its log is kept
    FORGET,
    /// `sandboxes` → an empty object; all others are forgotten
    KEEP_ONLY,
    /// `sandbox, after, limit` → some `{"flows": […]}`, then an empty object
    FLOWS
}
