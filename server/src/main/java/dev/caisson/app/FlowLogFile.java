package dev.caisson.app;

import dev.caisson.json.Form;
import dev.caisson.json.Forms;
import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.core.JsonGenerator;

/// A flow log as `caisson egress --json` and the REST API give it: one flow a line, or one object with `flows`. Whatever else there is beside a flow's own keys is passed over.
final class FlowLogFile {
    static final int MAX_BYTES = 64 << 20;
    private static final Form<Flow> LENIENT = new LenientFlowForm();

    private FlowLogFile() {}

    /// Errors: [Failure.Code#BAD_REQUEST] that names the line, [Failure.Code#HOST_UNFIT] when it cannot be read.
    static List<Flow> read(String name, InputStream standardInput) {
        byte[] document = bytes(name, standardInput);
        try {
            return flows(document);
        } catch (SandboxException e) {
            throw e.code().with((name.equals("-") ? "standard input" : name) + ": " + e.failure().message(), "give what `caisson egress ID --json` prints", e);
        }
    }

    private static byte[] bytes(String name, InputStream standardInput) {
        try (InputStream in = name.equals("-") ? standardInput : Files.newInputStream(Path.of(name))) {
            byte[] document = in.readNBytes(MAX_BYTES + 1);
            if (document.length > MAX_BYTES) {
                throw Failure.Code.BAD_REQUEST.with(name + " is larger than 64 MiB", "give a part of it");
            }
            return document;
        } catch (IOException e) {
            throw Failure.Code.HOST_UNFIT.with("cannot read " + name + ": " + e, "name a flow log, or - for standard input", e);
        }
    }

    private static List<Flow> flows(byte[] document) {
        var lines = new String(document, StandardCharsets.UTF_8).lines().toList();
        if (lines.size() > 1 && isWhole(lines.getFirst())) {
            var flows = new ArrayList<Flow>();
            for (int i = 0; i < lines.size(); i++) {
                if (!lines.get(i).isBlank()) {
                    flows.add(line(i + 1, lines.get(i)));
                }
            }
            return flows;
        }
        if (lines.stream().allMatch(String::isBlank)) {
            return List.of();
        }
        JsonObject in = JsonObject.parse(document);
        return in.has("flows") ? in.objects("flows", LENIENT) : List.of(Forms.FLOW.readKeys(in));
    }

    private static boolean isWhole(String line) {
        try {
            return !JsonObject.parse(line.getBytes(StandardCharsets.UTF_8)).has("flows");
        } catch (SandboxException _) {
            return false;
        }
    }

    private static Flow line(int number, String line) {
        try {
            return Forms.FLOW.readKeys(JsonObject.parse(line.getBytes(StandardCharsets.UTF_8)));
        } catch (SandboxException e) {
            throw e.code().with("line " + number + ": " + e.failure().message(), e.failure().remedy(), e);
        }
    }

    private record LenientFlowForm() implements Form<Flow> {
        @Override
        public void writeKeys(Flow value, JsonGenerator out) {
            Forms.FLOW.writeKeys(value, out);
        }

        @Override
        public Flow readKeys(JsonObject in) {
            in.names().forEach(in::has);
            return Forms.FLOW.readKeys(in);
        }
    }
}
