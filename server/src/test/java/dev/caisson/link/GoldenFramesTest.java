package dev.caisson.link;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.caisson.guest.wire.Adopt;
import dev.caisson.guest.wire.Attach;
import dev.caisson.guest.wire.Exited;
import dev.caisson.guest.wire.Failed;
import dev.caisson.guest.wire.Hello;
import dev.caisson.guest.wire.Input;
import dev.caisson.guest.wire.Reply;
import dev.caisson.guest.wire.Request;
import dev.caisson.guest.wire.SeedFile;
import dev.caisson.guest.wire.Welcome;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// The golden frames of `agent/golden/`, which the agent's own tests read too: both languages send the same bytes and mean the same by them.
class GoldenFramesTest {
    private static final Path FOLDER = Path.of("..", "agent", "golden");

    private static ByteBuffer golden(String name) throws IOException {
        return ByteBuffer.wrap(Files.readAllBytes(FOLDER.resolve(name + ".bin")));
    }

    /// The header is read as what it says, and written as it was read; answers the payload.
    private static byte[] payload(String name, FrameKind kind, int stream, int channel) throws IOException {
        ByteBuffer frame = golden(name);
        var header = FrameHeader.read(frame, LinkLimits.STANDARD);
        assertThat(header).as(name).isEqualTo(new FrameHeader(frame.remaining(), stream, kind, channel));
        var written = ByteBuffer.allocate(FrameHeader.BYTES);
        header.write(written);
        assertThat(written.flip()).as(name).isEqualTo(golden(name).limit(FrameHeader.BYTES));
        byte[] payload = new byte[frame.remaining()];
        frame.get(payload);
        return payload;
    }

    @Test
    void framesAreByteExact() throws IOException {
        assertThat(golden("preface")).isEqualTo(ByteBuffer.wrap("CAISSON1".getBytes(StandardCharsets.US_ASCII)));
        assertThat(payload("data", FrameKind.DATA, 2, 1)).isEqualTo("hello\n".getBytes(StandardCharsets.UTF_8));
        assertThat(ByteBuffer.wrap(payload("credit", FrameKind.CREDIT, 2, 1)).getInt()).isEqualTo(65_536);
        assertThat(payload("end", FrameKind.END, 2, 1)).isEmpty();
        assertThat(new String(payload("reset", FrameKind.RESET, 2, 0), StandardCharsets.UTF_8)).isEqualTo("given up – enough");
        assertThat(payload("close", FrameKind.CLOSE, 2, 0)).isEmpty();
        assertThat(payload("ping", FrameKind.PING, 0, 0)).containsExactly(1, 2, 3, 4, 5, 6, 7, 8);
        assertThat(payload("pong", FrameKind.PONG, 0, 0)).containsExactly(1, 2, 3, 4, 5, 6, 7, 8);
    }

    @Test
    void messagesOfTheAgentAreByteExact() throws IOException {
        byte[] hello = payload("hello", FrameKind.DATA, 0, 0);
        var parsed = Hello.parseFrom(hello);
        assertThat(parsed.toByteArray()).isEqualTo(hello);
        assertThat(parsed.getProtocol()).isEqualTo(1);
        assertThat(parsed.getAdopted()).isTrue();
        assertThat(parsed.getCommandsList()).hasSize(2).last().satisfies(ended -> assertThat(ended.getExited().getStatus()).isEqualTo(1));
        byte[] exited = payload("exited", FrameKind.DATA, 2, 0);
        assertThat(Reply.parseFrom(exited)).isEqualTo(Reply.newBuilder().setExited(Exited.newBuilder().setSignal(9).setCpuMicros(300_000).setStarved(true)).build());
        byte[] failed = payload("failed", FrameKind.DATA, 2, 0);
        assertThat(Reply.parseFrom(failed).getFailed()).isEqualTo(Failed.newBuilder().setCode(Failed.Code.PROGRAM_NOT_FOUND).setMessage("no program \"x\" in the sandbox").build());
        byte[] started = payload("started", FrameKind.DATA, 2, 0);
        assertThat(Reply.parseFrom(started).hasStarted()).isTrue();
        assertThat(Reply.parseFrom(started).getStarted().getStdoutOffset()).isEqualTo(300);
        assertThat(Reply.parseFrom(started).toByteArray()).isEqualTo(started);
    }

    @Test
    void messagesOfTheHostAreByteExact() throws IOException {
        assertThat(Welcome.newBuilder().setGraceSeconds(30).build().toByteArray()).isEqualTo(payload("welcome", FrameKind.DATA, 0, 0));
        byte[] start = payload("open-start", FrameKind.OPEN, 2, 0);
        var parsed = Request.parseFrom(start);
        assertThat(parsed.hasStart()).isTrue();
        assertThat(parsed.getStart().getArgvCount()).isPositive();
        // Deterministic for one entry a map; what we build with the same values is the same bytes.
        assertThat(Request.newBuilder().setStart(parsed.getStart()).build().toByteArray()).isEqualTo(start);
        assertThat(parsed.getStart().getTag()).isEqualTo("t1");
        assertThat(Request.newBuilder().setAttach(Attach.newBuilder().setId(7).setStdoutOffset(300).setStderrOffset(-1)).build().toByteArray()).isEqualTo(payload("open-attach", FrameKind.OPEN, 4, 0));
        assertThat(Request.newBuilder().setInput(Input.newBuilder().setId(7).setEnd(true)).build().toByteArray()).isEqualTo(payload("open-input", FrameKind.OPEN, 6, 0));
        var replace = SeedFile.newBuilder().setPath(ByteString.copyFromUtf8("/etc/resolv.conf")).setContent(ByteString.copyFromUtf8("nameserver 192.0.2.1\n")).setMode(0600);
        var append = SeedFile.newBuilder().setPath(ByteString.copyFromUtf8("/etc/ca.pem")).setContent(ByteString.copyFromUtf8("one more\n")).setKind(SeedFile.Kind.APPEND_IF_EXISTS);
        var adopt = Adopt.newBuilder().setHostname("sandbox").putEnv("LANG", "C").setUser("user").setTimeNanos(1_000_000_000).setEntropy(ByteString.copyFrom(new byte[] {1, 2})).addFiles(replace).addFiles(append);
        assertThat(Request.newBuilder().setAdopt(adopt).build().toByteArray()).isEqualTo(payload("open-adopt", FrameKind.OPEN, 8, 0));
        byte[] awaken = payload("open-awaken", FrameKind.OPEN, 10, 0);
        var awakening = Request.parseFrom(awaken).getAdopt().getAwakening();
        assertThat(awakening.getMachineId().byteAt(15)).isEqualTo((byte) 15);
        assertThat(awakening.getNetwork().getGatewaysCount()).isEqualTo(2);
        assertThat(Request.newBuilder().setAdopt(Adopt.newBuilder().setAwakening(awakening)).build().toByteArray()).isEqualTo(awaken);
    }

    @Test
    void everyGoldenFileIsReadHere() throws IOException {
        Set<String> read = new HashSet<>(List.of("preface", "data", "credit", "end", "reset", "close", "ping", "pong", "hello", "exited", "failed", "started", "welcome", "open-start", "open-attach", "open-input", "open-adopt", "open-awaken"));
        var there = new ArrayList<String>();
        try (var files = Files.list(FOLDER)) {
            files.map(file -> file.getFileName().toString()).filter(name -> name.endsWith(".bin")).map(name -> name.substring(0, name.length() - 4)).forEach(there::add);
        }
        assertThat(there).containsExactlyInAnyOrderElementsOf(read);
    }
}
