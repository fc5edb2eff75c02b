package dev.caisson.api.rest;

import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.Sandboxes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.Semaphore;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;

/// Passes a request's body on to a command's input, as fast as the command reads it.
///
/// A person at a keyboard may rest longer than a connection may be idle: the idle timeout only makes us look whether the command is still there.
final class StdinPump {
    private final Attachments attachments;

    StdinPump(Attachments attachments) {
        this.attachments = attachments;
    }

    /// Over a stream of the command that is open here, which costs no call of its own; else by calls.
    ///
    /// @param sandboxes as the caller sees them
    /// @param end close the command's input at the end of the body; not when the body breaks off
    void pump(Sandboxes sandboxes, Request request, SandboxId sandbox, CommandId command, boolean end) throws IOException, InterruptedException {
        var found = attachments.find(sandbox, command);
        if (found.isEmpty()) {
            call(sandboxes, request, sandbox, command, end);
        } else {
            stream(request, found.get(), end);
        }
    }

    private static void call(Sandboxes sandboxes, Request request, SandboxId sandbox, CommandId command, boolean end) throws IOException, InterruptedException {
        boolean last = false;
        // Asked before the body is waited for: a command that takes nothing says so at once.
        sandboxes.input(sandbox, command, ByteBuffer.allocate(0), false);
        while (!last) {
            Content.Chunk chunk = next(request);
            if (Content.Chunk.isFailure(chunk)) {
                if (chunk.isLast()) {
                    throw new IOException("the body broke off", chunk.getFailure());
                }
                continue;
            }
            try {
                last = chunk.isLast();
                if (chunk.hasRemaining() || last && end) {
                    sandboxes.input(sandbox, command, chunk.getByteBuffer(), last && end);
                }
            } finally {
                chunk.release();
            }
        }
    }

    private static void stream(Request request, Attachments.Attachment attachment, boolean end) throws IOException, InterruptedException {
        CommandStream stream = attachment.takeInput();
        try {
            boolean last = false;
            while (!last) {
                Content.Chunk chunk = next(request);
                if (Content.Chunk.isFailure(chunk)) {
                    if (chunk.isLast()) {
                        throw new IOException("the body broke off", chunk.getFailure());
                    }
                    if (!attachment.isOpen()) {
                        throw attachment.ended();
                    }
                    continue;
                }
                try {
                    last = chunk.isLast();
                    if (chunk.hasRemaining()) {
                        stream.write(chunk.getByteBuffer());
                    }
                } finally {
                    chunk.release();
                }
            }
            if (end) {
                stream.closeInput();
            }
        } finally {
            attachment.doneWriting();
        }
    }

    private static Content.Chunk next(Request request) throws InterruptedException {
        while (true) {
            Content.Chunk chunk = request.read();
            if (chunk != null) {
                return chunk;
            }
            var ready = new Semaphore(0);
            request.demand(ready::release);
            ready.acquire();
        }
    }
}
