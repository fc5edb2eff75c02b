package dev.caisson.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

/// Against netlink(7): lengths without padding, values padded to 4 bytes, the header's length the whole.
class NetlinkMessageTest {
    private static ByteBuffer read(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
    }

    @Test
    void headerAndAttributesAreWhatTheKernelReads() {
        byte[] bytes = new NetlinkMessage(16, NetlinkMessage.CREATE).u8(1).u8(2).u16(3).attribute(3, "eth0").attribute(7, 9).finished(42);
        var message = read(bytes);
        assertThat(message.getInt()).isEqualTo(bytes.length).isEqualTo(16 + 4 + 12 + 8);
        assertThat(message.getShort()).isEqualTo((short) 16);
        assertThat(message.getShort()).isEqualTo((short) (1 | 4 | 0x400));
        assertThat(message.getInt()).isEqualTo(42);
        assertThat(message.getInt()).isZero();
        assertThat(Refusals.attribute(bytes, 20, 3)).hasValue(new byte[] {'e', 't', 'h', '0', 0});
        assertThat(Refusals.attribute(bytes, 20, 7)).map(value -> read(value).getInt()).hasValue(9);
        assertThat(Refusals.attribute(bytes, 20, 8)).isEmpty();
    }

    @Test
    void nestedAttributesHoldTheirOwn() {
        byte[] bytes = new NetlinkMessage(1, 0).nested(18, outer -> outer.attribute(1, "veth").region(2, inner -> inner.u32(0).attribute(5, new byte[] {1}))).finished(1);
        byte[] outer = Refusals.attribute(bytes, 16, 18).orElseThrow();
        assertThat(read(bytes).getShort(18)).as("marked as nested").isEqualTo((short) (0x8000 | 18));
        byte[] inner = Refusals.attribute(outer, 0, 2).orElseThrow();
        assertThat(Refusals.attribute(inner, 4, 5)).hasValue(new byte[] {1});
        assertThat(bytes.length % 4).isZero();
        assertThat(NetlinkMessage.silent(1).finished(1)[6]).as("answered only when wrong").isEqualTo((byte) 1);
    }
}
