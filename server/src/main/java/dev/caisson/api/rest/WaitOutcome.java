package dev.caisson.api.rest;

import dev.caisson.json.Forms;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandResult;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import tools.jackson.core.JsonGenerator;

/// Output gathered for `wait=true`: the first 8 MiB of each channel, and how much there was in all.
final class WaitOutcome implements AutoCloseable {
    static final int MAX_KEPT = 8 * 1024 * 1024;
    private static final int SMALL = 64 * 1024;

    private final WaitBudget budget;
    private final Kept stdout = new Kept();
    private final Kept stderr = new Kept();

    WaitOutcome(WaitBudget budget) {
        this.budget = budget;
    }

    void add(CommandEvent.Output output) {
        switch (output.channel()) {
            case STDOUT -> stdout.add(output.data());
            case STDERR -> stderr.add(output.data());
        }
    }

    boolean isSmall() {
        return stdout.bytes.size() + stderr.bytes.size() <= SMALL;
    }

    void writeKeys(CommandEvent.Started started, CommandResult result, JsonGenerator out) {
        out.writeStringProperty("id", started.id().value());
        out.writeNumberProperty("pid", started.pid());
        Forms.COMMAND_RESULT.writeKeys(result, out);
        stdout.writeKeys("stdout", out);
        stderr.writeKeys("stderr", out);
        out.writeBooleanProperty("truncated", stdout.truncated() || stderr.truncated());
    }

    @Override
    public void close() {
        budget.giveBack((long) stdout.bytes.size() + stderr.bytes.size());
    }

    private final class Kept {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(0);
        private long all;

        void add(ByteBuffer data) {
            // Once something was left out nothing later is kept, so that what is kept has no gap.
            int room = truncated() ? 0 : budget.take(Math.min(data.remaining(), MAX_KEPT - bytes.size()));
            all += data.remaining();
            byte[] piece = new byte[room];
            data.get(piece);
            bytes.writeBytes(piece);
        }

        boolean truncated() {
            return bytes.size() < all;
        }

        void writeKeys(String name, JsonGenerator out) {
            byte[] kept = bytes.toByteArray();
            try {
                out.writeStringProperty(name, StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(kept, 0, wholeCharacters(kept))).toString());
            } catch (CharacterCodingException _) {
                out.writeStringProperty(name + "_base64", Base64.getEncoder().encodeToString(kept));
            }
            out.writeNumberProperty(name + "_bytes", all);
        }

        /// Length without a character that our own bound cut: at most three bytes less.
        private int wholeCharacters(byte[] kept) {
            int start = kept.length - 1;
            while (truncated() && start >= 0 && kept.length - start < 4 && (kept[start] & 0xC0) == 0x80) {
                start--;
            }
            boolean cut = truncated() && start >= 0 && (kept[start] & 0xC0) == 0xC0 && kept.length - start < Integer.numberOfLeadingZeros(~(kept[start] << 24));
            return cut ? start : kept.length;
        }
    }
}
