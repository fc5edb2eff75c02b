package dev.caisson.api.e2b;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.caisson.policy.Waking;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class CodecTest {
    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    @Test
    void signsAsPublishedClientsDo() {
        assertEquals("v1_/fMiyNHTuM4YLSEhdFfih6jnKvSGLwCSEd9hlByTNdc", Signature.of("/home/user/f", "read", "", "tok123", ""));
        assertFalse(Signature.matches("", Signature.of("/f", "read", "", "t", "")));
        assertFalse(Signature.matches(Signature.of("/f", "read", "", "t", "1"), Signature.of("/f", "write", "", "t", "1")));
    }

    @Test
    void readsEnvelopesOneByOne() throws IOException {
        var two = ByteBuffer.allocate(14).put(Envelope.of(0, ascii("{}"))).put(Envelope.of(0, ascii("{}"))).array();
        var in = new ByteArrayInputStream(two);
        assertArrayEquals(ascii("{}"), Envelope.read(in).orElseThrow());
        assertArrayEquals(ascii("{}"), Envelope.read(in).orElseThrow());
        assertTrue(Envelope.read(in).isEmpty());
    }

    @Test
    void refusesEnvelopesThatAreCutCompressedUnknownOrHuge() {
        assertThrows(EOFException.class, () -> Envelope.read(new ByteArrayInputStream(new byte[] {0, 0, 0})));
        assertThrows(EOFException.class, () -> Envelope.read(new ByteArrayInputStream(new byte[] {0, 0, 0, 0, 9, '{'})));
        assertEquals(RpcCode.INTERNAL, code(new byte[] {1, 0, 0, 0, 0}));
        assertEquals(RpcCode.INVALID_ARGUMENT, code(new byte[] {8, 0, 0, 0, 0}));
        assertEquals(RpcCode.RESOURCE_EXHAUSTED, code(new byte[] {0, 0x7F, 0, 0, 0}));
        assertEquals(RpcCode.RESOURCE_EXHAUSTED, code(new byte[] {0, -1, -1, -1, -1}), "a length is not negative");
    }

    private static RpcCode code(byte[] bytes) {
        return assertThrows(RpcException.class, () -> Envelope.read(new ByteArrayInputStream(bytes))).code();
    }

    @Test
    void writesBytesAsJsonHasThem() throws IOException {
        byte[] envelope = Envelope.ofBytes("{\"a\":\"", ByteBuffer.wrap(new byte[] {0, -1, 'x'}), "\"}");
        assertEquals("{\"a\":\"AP94\"}", new String(Envelope.read(new ByteArrayInputStream(envelope)).orElseThrow(), StandardCharsets.US_ASCII));
    }

    @Test
    void takesBothSpellingsNumbersAndUnknownNames() {
        var in = ProtoObject.parse(ascii("{\"watcher_id\":\"w1\",\"includeEntry\":true,\"pid\":\"7\",\"signal\":9,\"later\":{\"x\":[1]}}"));
        assertEquals("w1", in.text("watcherId"));
        assertTrue(in.truth("includeEntry", false));
        assertEquals(7, in.whole("pid"));
        assertEquals("9", in.wordOrNumber("signal"));
        assertEquals(RpcCode.INVALID_ARGUMENT, assertThrows(RpcException.class, () -> in.required("process")).code());
        assertEquals(RpcCode.INVALID_ARGUMENT, assertThrows(RpcException.class, () -> ProtoObject.parse(ascii("[1]"))).code());
        assertEquals(RpcCode.INVALID_ARGUMENT, assertThrows(RpcException.class, () -> ProtoObject.parse(ascii("{\"b\":\"!\"}")).bytes("b")).code());
    }

    @Test
    void readsRangesOfOnePart() {
        assertEquals(Optional.of(new ByteRange(0, 10)), ByteRange.parse("bytes=0-9", 100));
        assertEquals(Optional.of(new ByteRange(90, 10)), ByteRange.parse("bytes=90-", 100));
        assertEquals(Optional.of(new ByteRange(95, 5)), ByteRange.parse("bytes=-5", 100));
        assertEquals(Optional.of(new ByteRange(5, 95)), ByteRange.parse("bytes=5-1000", 100));
        assertEquals(Optional.empty(), ByteRange.parse("bytes=1-2,4-5", 100));
        assertEquals(Optional.empty(), ByteRange.parse("bytes=9-1", 100));
        assertEquals(416, assertThrows(Refusal.class, () -> ByteRange.parse("bytes=100-", 100)).status());
        assertEquals(416, assertThrows(Refusal.class, () -> ByteRange.parse("bytes=-0", 100)).status());
    }

    @Test
    void keepsMetadataExactlyWhateverItIsCalled() {
        var metadata = Map.of("a", "b c&d=e", "caisson.auto-resume", "mine", "", "empty name");
        var labels = Metadata.toLabels(metadata);
        assertEquals(metadata, Metadata.ofLabels(labels));
        assertFalse(labels.containsKey("caisson.auto-resume"), "that name is not the caller's to give");
        assertEquals(metadata, Metadata.ofLabels(Waking.wish(labels)), "nor is it told to callers");
    }

    @Test
    void findsMetadataAsPublishedClientsEncodeIt() {
        // Recorded from the Python client 2.63.0 for {"caisson.x": "a=b&c d/ü"}.
        var query = dev.caisson.api.Query.parse("metadata=caisson.x%3Da%25253Db%252526c%252520d%252F%2525C3%2525BC");
        assertEquals(Map.of("caisson.x", "a=b&c d/ü"), ListQuery.parse(query, java.util.Set.of()).metadata());
    }

    @Test
    void packsOnlyForClientsThatWantNothingElse() {
        assertTrue(Encodings.parse("gzip").wantsGzip());
        assertTrue(Encodings.parse("gzip, identity;q=0").wantsGzip());
        assertFalse(Encodings.parse("gzip, deflate, zstd").wantsGzip());
        assertFalse(Encodings.parse("").wantsGzip());
        assertEquals(406, assertThrows(Refusal.class, () -> Encodings.parse("br, identity;q=0")).status());
    }

    @Test
    void streamsPartsWithTheirWholeNames() throws IOException {
        String body = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"/home/user/a b.txt\"\r\n\r\none\r\n"
                + "--B\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nskipped\r\n"
                + "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x/%22q%22\"\r\n\r\n\r\n--B--\r\n";
        var parts = new MultipartBody(new ByteArrayInputStream(ascii(body)), "B");
        var first = parts.next().orElseThrow();
        assertEquals("/home/user/a b.txt", first.filename());
        assertEquals("one", new String(first.content().readAllBytes(), StandardCharsets.US_ASCII));
        assertEquals("other", parts.next().orElseThrow().name());
        var last = parts.next().orElseThrow();
        assertEquals("x/\"q\"", last.filename());
        assertEquals(0, last.content().readAllBytes().length);
        assertTrue(parts.next().isEmpty());
        var cut = new MultipartBody(new ByteArrayInputStream(ascii(body.substring(0, 90))), "B");
        assertThrows(Refusal.class, () -> cut.next().orElseThrow().content().readAllBytes());
    }
}
