package dev.caisson.remote;

import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.link.ChannelInput;
import dev.caisson.link.Incoming;
import dev.caisson.link.LinkException;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileEvent;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import tools.jackson.core.JsonGenerator;

/// A sandbox's files across the link.
final class RemoteFiles implements Files {
    private final RemoteSandboxes node;
    private final SandboxId id;
    private final Rights rights;

    RemoteFiles(RemoteSandboxes node, SandboxId id, Rights rights) {
        this.node = node;
        this.id = id;
        this.rights = rights;
    }

    @Override
    public InputStream read(String path, String user, long offset, long length) {
        return node.keep(Call.READ_FILE, at(path, user).andThen(out -> {
            out.writeNumberProperty("offset", offset);
            out.writeNumberProperty("length", length);
        }), stream -> {
            Answer.next(stream);
            return new ChannelInput(stream, 1, RemoteFiles::refused);
        });
    }

    @Override
    public FileInfo write(String path, String user, int mode, Map<String, String> metadata, InputStream content) {
        return node.ask(Call.WRITE_FILE, at(path, user).andThen(out -> {
            out.writeNumberProperty("mode", mode);
            Json.writeMap(out, "metadata", metadata);
        }), stream -> {
            send(content, stream);
            return Answer.one(stream, Forms.FILE_INFO);
        });
    }

    private static void send(InputStream content, LinkStream stream) throws LinkException, InterruptedException {
        byte[] block = new byte[1 << 16];
        while (true) {
            int n;
            try {
                n = content.read(block);
            } catch (IOException e) {
                throw Failure.Code.BAD_REQUEST.with("the upload broke off: " + e.getMessage(), "send it again", e);
            }
            if (n < 0) {
                stream.end(1);
                return;
            }
            try {
                stream.write(1, ByteBuffer.wrap(block, 0, n));
            } catch (LinkException e) {
                // Refused before the end: the refusal has arrived by now and says more.
                Answer.next(stream);
                throw e;
            }
        }
    }

    @Override
    public FileInfo stat(String path, String user) {
        return node.ask(Call.STAT_FILE, at(path, user), stream -> Answer.one(stream, Forms.FILE_INFO));
    }

    @Override
    public List<FileInfo> list(String path, String user, int depth) {
        return node.ask(Call.LIST_FILES, at(path, user).andThen(out -> out.writeNumberProperty("depth", depth)), stream -> Answer.many(stream, Forms.FILE_INFO));
    }

    @Override
    public boolean makeDirectory(String path, String user) {
        return node.ask(Call.MAKE_DIRECTORY, at(path, user), stream -> Answer.next(stream).truth("made"));
    }

    @Override
    public FileInfo rename(String from, String to, String user) {
        return node.ask(Call.RENAME_FILE, at(from, user).andThen(out -> out.writeStringProperty("to", to)), stream -> Answer.one(stream, Forms.FILE_INFO));
    }

    @Override
    public void remove(String path, String user) {
        node.ask(Call.REMOVE_FILE, at(path, user), Answer::next);
    }

    @Override
    public FileWatch watch(String path, String user, boolean recursive) {
        return node.keep(Call.WATCH_FILES, at(path, user).andThen(out -> out.writeBooleanProperty("recursive", recursive)), stream -> {
            Answer.next(stream);
            return new Watch(stream);
        });
    }

    private Consumer<JsonGenerator> at(String path, String user) {
        return RemoteSandboxes.about(id).andThen(out -> {
            out.writeStringProperty("path", path);
            out.writeStringProperty("user", user);
            out.writeStringProperty("rights", Json.label(rights));
        });
    }

    private static void refused(byte[] message) throws IOException {
        try {
            Answer.succeeded(message);
        } catch (SandboxException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    private record Watch(LinkStream stream) implements FileWatch {
        @Override
        public Optional<FileEvent> next() throws InterruptedException {
            try {
                return stream.next() instanceof Incoming.Message(byte[] bytes) ? Optional.of(Forms.FILE_EVENT.readKeys(Answer.succeeded(bytes))) : Optional.empty();
            } catch (LinkException _) {
                return Optional.empty();
            }
        }

        @Override
        public void close() {
            stream.close();
        }
    }
}
