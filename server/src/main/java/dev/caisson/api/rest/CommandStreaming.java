package dev.caisson.api.rest;

import dev.caisson.api.LiveBody;
import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.time.Duration;

/// Tells a command's stream to a client, from [CommandEvent.Started] to [CommandEvent.Ended].
///
/// What fails before the first event is an ordinary problem document; after it, the stream's last event. A client that goes away only detaches.
/// The thread of a command: the request's own takes events from the node and writes them out, so back-pressure is the client's own.
final class CommandStreaming {
    private static final String COMMAND_HEADER = "Caisson-Command";
    private final Attachments attachments;
    private final Duration heartbeat;
    private final WaitBudget budget;

    CommandStreaming(Attachments attachments, Duration heartbeat, WaitBudget budget) {
        this.attachments = attachments;
        this.heartbeat = heartbeat;
        this.budget = budget;
    }

    /// Opens a stream at the node.
    interface Opener {
        CommandStream open() throws InterruptedException;
    }

    /// The offsets are where the client believes each channel to begin.
    void stream(Call call, SandboxId sandbox, Opener opener, long... offsets) throws IOException, InterruptedException {
        StreamForm form = StreamForm.chosenBy(call);
        try (var place = attachments.place(); CommandStream stream = opener.open()) {
            CommandEvent first = stream.next();
            CommandId id = started(first).id();
            try (var _ = place.attach(sandbox, id, stream)) {
                call.header(COMMAND_HEADER, id.value());
                try (var body = LiveBody.start(call.request(), call.response(), form.mediaType(), form.heartbeat(), heartbeat)) {
                    body.whenLost(stream::close);
                    tell(form, body, first, stream, sandbox, offsets);
                }
            }
        }
        call.callback().succeeded();
    }

    private static void tell(StreamForm form, LiveBody body, CommandEvent first, CommandStream stream, SandboxId sandbox, long... offsets) throws IOException, InterruptedException {
        try {
            CommandEvent event = first;
            while (true) {
                switch (event) {
                    case CommandEvent.Started started when stream.isReady() -> body.hold(form.event(Forms.COMMAND_EVENT.bytes(started)));
                    case CommandEvent.Started started -> body.write(form.event(Forms.COMMAND_EVENT.bytes(started)));
                    case CommandEvent.Output output -> tell(form, body, output, offsets);
                    case CommandEvent.Ended ended -> {
                        body.finish(form.event(Forms.COMMAND_EVENT.bytes(ended)));
                        return;
                    }
                }
                event = next(body, stream);
            }
        } catch (SandboxException e) {
            body.finish(form.event(Problem.of(e.failure(), sandbox.value()).event()));
        }
    }

    private static void tell(StreamForm form, LiveBody body, CommandEvent.Output output, long... offsets) throws IOException {
        int channel = output.channel().ordinal();
        if (output.offset() != offsets[channel]) {
            form.skip(body, output);
        }
        offsets[channel] = output.offset() + output.data().remaining();
        form.write(body, output);
    }

    private static CommandEvent next(LiveBody body, CommandStream stream) throws IOException, InterruptedException {
        try {
            return stream.next();
        } catch (SandboxException e) {
            if (body.lost()) {
                throw new IOException("the client went away", e);
            }
            throw e;
        }
    }

    /// Runs to the end and answers once.
    void wait(Call call, SandboxId sandbox, Opener opener) throws IOException, InterruptedException {
        try (var place = attachments.place(); var outcome = new WaitOutcome(budget); CommandStream stream = opener.open()) {
            CommandEvent.Started started = started(stream.next());
            call.header(COMMAND_HEADER, started.id().value());
            try (var _ = place.attach(sandbox, started.id(), stream)) {
                while (true) {
                    switch (stream.next()) {
                        case CommandEvent.Output output -> outcome.add(output);
                        case CommandEvent.Ended(var result) -> {
                            if (outcome.isSmall()) {
                                call.json(200, Json.object(out -> outcome.writeKeys(started, result, out)));
                            } else {
                                call.largeJson(out -> outcome.writeKeys(started, result, out));
                            }
                            return;
                        }
                        case CommandEvent.Started _ -> throw outOfOrder();
                    }
                }
            }
        }
    }

    private static CommandEvent.Started started(CommandEvent first) {
        if (first instanceof CommandEvent.Started started) {
            return started;
        }
        throw outOfOrder();
    }

    private static SandboxException outOfOrder() {
        return Failure.Code.INTERNAL.with("the events of a command came out of order", "report this");
    }
}
