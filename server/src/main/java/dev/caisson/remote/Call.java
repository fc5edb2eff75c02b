package dev.caisson.remote;

/// What one of our processes may ask of another. A stream's opening message is a JSON object with the label of one as `call`.
///
/// Every answer is on channel 0: objects with the call's result, as many as it takes, or one `{"failure": …}`; then the stream closes.
enum Call {
    /// `spec` → a sandbox
    CREATE,
    /// `sandbox` → a sandbox
    GET,
    /// → sandboxes
    LIST,
    /// `sandbox, command` → events; output on channels 1 and 2; input on channel 1 towards the node
    RUN,
    /// `sandbox, id, stdout_offset, stderr_offset` → as RUN; an output event without bytes says that a channel goes on at another offset
    ATTACH,
    /// `sandbox, id, end`; at most 64 KiB on channel 1 towards the node, then its END → an empty object
    INPUT,
    /// `sandbox` → commands
    COMMANDS,
    /// `sandbox, id, signal`
    SIGNAL,
    /// `sandbox, id, size`
    RESIZE,
    /// `sandbox, port` → an empty object, then bytes on channel 1 both ways
    DIAL,
    /// `sandbox` → a sandbox
    PAUSE,
    /// `sandbox, lease_seconds` → a sandbox
    RESUME,
    /// `sandbox, from, to` → usage samples
    SAMPLES,
    /// `sandbox` → usage
    USAGE,
    /// `sandbox, egress` → a sandbox
    SET_EGRESS,
    /// `sandbox, after, limit` → flows
    FLOWS,
    /// `sandbox, lease_seconds` → a sandbox
    RENEW,
    /// `sandbox` → a receipt
    DELETE,
    /// `sandbox` → a receipt
    RECEIPT,
    /// `limit` → receipts
    RECEIPTS,
    /// → templates
    TEMPLATES,
    /// → node status
    STATUS,
    /// → nothing; ends every sandbox
    DELETE_ALL,
    // Calls about files have `rights` too.

    /// `sandbox, path, user, offset, length` → an empty object, then bytes on channel 1
    READ_FILE,
    /// `sandbox, path, user, mode, metadata`; bytes on channel 1 towards the node → a file
    WRITE_FILE,
    /// `sandbox, path, user` → a file
    STAT_FILE,
    /// `sandbox, path, user, depth` → files
    LIST_FILES,
    /// `sandbox, path, user` → `{"made": …}`
    MAKE_DIRECTORY,
    /// `sandbox, path, to, user` → a file
    RENAME_FILE,
    /// `sandbox, path, user`
    REMOVE_FILE,
    /// `sandbox, path, user, recursive` → an empty object, then events until the caller resets
    WATCH_FILES
}
