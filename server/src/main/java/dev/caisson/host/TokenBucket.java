package dev.caisson.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// Limits what leaves by a link (tc-tbf(8)).
final class TokenBucket {
    private static final int RTM_NEWQDISC = 36;
    private static final int TC_H_ROOT = -1;
    private static final int TCA_KIND = 1;
    private static final int TCA_OPTIONS = 2;
    private static final int TCA_TBF_PARMS = 1;
    private static final int TCA_TBF_RATE64 = 4;
    private static final int TCA_TBF_BURST = 6;
    private static final byte TC_LINKLAYER_ETHERNET = 1;
    private static final long MIN_RATE = 1_000;
    // A segment that is cut late has up to 64 KiB, and one larger than the bucket would never pass.
    private static final long MIN_BURST = 256 << 10;
    private static final long MAX_BURST = 64 << 20;

    private TokenBucket() {}

    /// From now on at most that leaves on average, in bursts of 10 ms; up to twice that waits, the rest is dropped. False where this kernel knows no token buckets.
    ///
    /// @param rate bytes a second
    static boolean limit(Netlink here, String name, int index, long rate) throws IOException {
        if (rate < MIN_RATE) {
            throw new IllegalArgumentException("a link's rate is at least " + MIN_RATE + " bytes a second, got " + rate);
        }
        int burst = (int) Math.clamp(rate / 100, MIN_BURST, MAX_BURST);
        try {
            // struct tcmsg
            here.ask("rate of " + name, new NetlinkMessage(RTM_NEWQDISC, NetlinkMessage.CREATE | NetlinkMessage.EXCL)
                    .u8(0).u8(0).u16(0).u32(index).u32(0).u32(TC_H_ROOT).u32(0)
                    .attribute(TCA_KIND, "tbf")
                    .nested(TCA_OPTIONS, options -> options
                            .attribute(TCA_TBF_PARMS, parameters(rate, 2 * burst))
                            .attribute(TCA_TBF_RATE64, ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder()).putLong(rate).array())
                            .attribute(TCA_TBF_BURST, burst)));
            return true;
        } catch (NativeException e) {
            if (e.errno() == Errno.ENOENT) {
                return false;
            }
            throw e;
        }
    }

    /// struct tc_tbf_qopt: two of struct tc_ratespec, then bytes that may wait, and two that are not used.
    private static byte[] parameters(long rate, int waiting) {
        var bytes = ByteBuffer.allocate(36).order(ByteOrder.nativeOrder());
        bytes.put(1, TC_LINKLAYER_ETHERNET);
        bytes.putInt(8, (int) Math.min(rate, 0xffff_ffffL));
        bytes.putInt(24, waiting);
        return bytes.array();
    }
}
