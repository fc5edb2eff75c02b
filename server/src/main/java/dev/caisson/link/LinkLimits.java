package dev.caisson.link;

/// Bounds of a link; both sides must use the same window.
///
/// @param maxMessageBytes longest control message
/// @param maxDataBytes longest raw data frame
/// @param windowBytes what one channel of a stream may have under way before its reader has consumed any of it
/// @param maxStreams streams open at a time
/// @param maxQueuedMessages messages of one stream that wait to be taken
/// @param busy it carries so much that its reader is worth a platform thread: bytes that arrive then wake one thread instead of three
public record LinkLimits(int maxMessageBytes, int maxDataBytes, int windowBytes, int maxStreams, int maxQueuedMessages, boolean busy) {
    /// The figures of docs/link.md.
    public static final LinkLimits STANDARD = new LinkLimits(1 << 20, 1 << 16, 1 << 20, 1024, 4096, false);

    /// Between our own processes, where one link carries the calls of all clients.
    public static final LinkLimits INTERNAL = new LinkLimits(1 << 20, 1 << 16, 1 << 20, 16_384, 4096, true);
}
