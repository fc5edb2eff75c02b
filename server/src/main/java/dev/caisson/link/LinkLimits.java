package dev.caisson.link;

/// Bounds of a link, as docs/link.md has them for both sides.
///
/// @param maxMessageBytes longest control message
/// @param maxDataBytes longest raw data frame
/// @param windowBytes the most that one channel of a stream may have under way before its reader has consumed any of it, and what messages start with
/// @param sendStart what we may have under way on a raw channel until the other side gives more
/// @param receiveStart what the other side may; a quick reader is given more, up to the window
/// @param spareBytes that all streams together are given beyond their start
/// @param maxStreams streams open at a time
/// @param maxQueuedMessages messages of one stream that wait to be taken
public record LinkLimits(int maxMessageBytes, int maxDataBytes, int windowBytes, int sendStart, int receiveStart, int spareBytes, int maxStreams, int maxQueuedMessages) {
    /// With an agent, seen from its host. The agent's own memory is the sandbox's.
    public static final LinkLimits STANDARD = new LinkLimits(1 << 20, 1 << 16, 1 << 20, 1 << 20, 1 << 15, 4 << 20, 1024, 4096);

    /// Between our own processes, where one link carries the calls of all clients.
    public static final LinkLimits INTERNAL = new LinkLimits(1 << 20, 1 << 16, 1 << 20, 1 << 15, 1 << 15, 32 << 20, 16_384, 4096);
}
