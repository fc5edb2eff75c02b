package dev.caisson.guest;

import com.google.protobuf.ByteString;
import dev.caisson.guest.wire.List.Builder;
import dev.caisson.guest.wire.MakeDirectory;
import dev.caisson.guest.wire.Read;
import dev.caisson.guest.wire.Remove;
import dev.caisson.guest.wire.Rename;
import dev.caisson.guest.wire.Reply;
import dev.caisson.guest.wire.Request;
import dev.caisson.guest.wire.Stat;
import dev.caisson.guest.wire.Watch;
import dev.caisson.guest.wire.Write;
import dev.caisson.link.ChannelInput;
import dev.caisson.link.Incoming;
import dev.caisson.link.Link;
import dev.caisson.link.LinkException;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileEvent;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The files of a sandbox, asked of its agent.
final class GuestFiles implements Files {
    /// Entries of one listing that are taken from a guest.
    private static final int MAX_ENTRIES = 100_000;

    /// Bytes of one listing that are taken from a guest; an entry of ordinary length has about 150.
    private static final long MAX_LISTING_BYTES = 64L << 20;
    private static final int MAX_METADATA_NAMES = 1_024;

    private final Link link;
    private final boolean asRoot;

    GuestFiles(Link link, Rights rights) {
        this.link = link;
        this.asRoot = rights == Rights.ROOT;
    }

    @Override
    public InputStream read(String path, String user, long offset, long length) {
        if (offset < 0 || length < 0) {
            throw Failure.Code.OUT_OF_RANGE.with("offset and length cannot be negative", "ask from 0 on; length 0 means to the end");
        }
        return asking(() -> {
            var read = Read.newBuilder().setPath(bytes(path)).setUser(user).setAsRoot(asRoot).setOffset(offset).setLength(length);
            LinkStream stream = link.open(Request.newBuilder().setRead(read).build().toByteArray());
            try {
                Replies.next(stream, Replies.PATIENCE);
                return new ChannelInput(stream, 1, GuestFiles::refused);
            } catch (LinkException | InterruptedException | RuntimeException e) {
                stream.close();
                throw e;
            }
        });
    }

    @Override
    public FileInfo write(String path, String user, int mode, Map<String, String> metadata, InputStream content) {
        if (metadata.size() > MAX_METADATA_NAMES) {
            throw Failure.Code.OUT_OF_RANGE.with("more than " + MAX_METADATA_NAMES + " names of metadata", "give at most 4096 bytes in all");
        }
        return asking(() -> {
            var write = Write.newBuilder().setPath(bytes(path)).setUser(user).setAsRoot(asRoot).setMode(Math.max(mode, 0)).putAllMetadata(metadata);
            try (var stream = link.open(Request.newBuilder().setWrite(write).build().toByteArray())) {
                send(content, stream);
                Reply reply = Replies.next(stream, Replies.PATIENCE);
                stream.finish();
                return FileInfos.read(reply.getFile());
            }
        });
    }

    private static void send(InputStream content, LinkStream stream) throws IOException, InterruptedException {
        byte[] block = new byte[1 << 16];
        for (int n = content.read(block); n >= 0; n = content.read(block)) {
            try {
                stream.write(1, ByteBuffer.wrap(block, 0, n));
            } catch (LinkException e) {
                // The guest has refused before the end: its word, which has arrived by now, says more than the closed stream.
                Replies.next(stream, Replies.PATIENCE);
                throw e;
            }
        }
        stream.end(1);
    }

    @Override
    public FileInfo stat(String path, String user) {
        return FileInfos.read(call(Request.newBuilder().setStat(Stat.newBuilder().setPath(bytes(path)).setUser(user).setAsRoot(asRoot))).getFile());
    }

    @Override
    public List<FileInfo> list(String path, String user, int depth) {
        if (depth < 1 || depth > 64) {
            throw Failure.Code.OUT_OF_RANGE.with("depth must be 1 to 64, got " + depth, "ask for a depth in that range");
        }
        return asking(() -> {
            Builder list = dev.caisson.guest.wire.List.newBuilder().setPath(bytes(path)).setUser(user).setAsRoot(asRoot).setDepth(depth);
            var entries = new ArrayList<FileInfo>();
            long length = 0;
            try (var stream = link.open(Request.newBuilder().setList(list).build().toByteArray())) {
                while (stream.next(Replies.PATIENCE) instanceof Incoming.Message(byte[] bytes)) {
                    var files = Replies.succeeded(Replies.parse(bytes)).getFiles().getFilesList();
                    length += bytes.length;
                    if (entries.size() + files.size() > MAX_ENTRIES || length > MAX_LISTING_BYTES) {
                        throw Failure.Code.OUT_OF_RANGE.with("more than " + MAX_ENTRIES + " entries, or 64 MiB of them, below " + Failure.shown(path), "list a smaller directory or a smaller depth");
                    }
                    files.forEach(file -> entries.add(FileInfos.read(file)));
                }
                stream.finish();
            }
            return List.copyOf(entries);
        });
    }

    @Override
    public boolean makeDirectory(String path, String user) {
        return call(Request.newBuilder().setMakeDirectory(MakeDirectory.newBuilder().setPath(bytes(path)).setUser(user).setAsRoot(asRoot))).getDone().getChanged();
    }

    @Override
    public FileInfo rename(String from, String to, String user) {
        return FileInfos.read(call(Request.newBuilder().setRename(Rename.newBuilder().setFrom(bytes(from)).setTo(bytes(to)).setUser(user).setAsRoot(asRoot))).getFile());
    }

    @Override
    public void remove(String path, String user) {
        call(Request.newBuilder().setRemove(Remove.newBuilder().setPath(bytes(path)).setUser(user).setAsRoot(asRoot)));
    }

    @Override
    public FileWatch watch(String path, String user, boolean recursive) {
        return asking(() -> {
            var watch = Watch.newBuilder().setPath(bytes(path)).setUser(user).setAsRoot(asRoot).setRecursive(recursive);
            LinkStream stream = link.open(Request.newBuilder().setWatch(watch).build().toByteArray());
            try {
                Replies.next(stream, Replies.PATIENCE);
                return new GuestWatch(stream);
            } catch (LinkException | InterruptedException | RuntimeException e) {
                stream.close();
                throw e;
            }
        });
    }

    private Reply call(Request.Builder request) {
        return asking(() -> Calls.call(link, request));
    }

    /// A failure that comes after some bytes.
    private static void refused(byte[] message) throws IOException {
        try {
            Replies.succeeded(Replies.parse(message));
        } catch (SandboxException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    private static ByteString bytes(String path) {
        if (path.isEmpty() || path.indexOf('\0') >= 0) {
            throw Failure.Code.BAD_REQUEST.with("not a path: '" + Failure.shown(path) + "'", "a path is not empty and has no NUL");
        }
        if (path.length() > 4095) {
            throw Failure.Code.OUT_OF_RANGE.with("a path of " + path.length() + " characters", "Linux takes at most 4095 bytes");
        }
        return ByteString.copyFromUtf8(path);
    }

    @FunctionalInterface
    private interface Asking<T> {
        T ask() throws IOException, InterruptedException;
    }

    private static <T> T asking(Asking<T> question) {
        try {
            return question.ask();
        } catch (LinkException e) {
            throw Failure.Code.GUEST_FAILED.with("the sandbox did not answer: " + e.getMessage(), "look whether it still lives with `caisson ps`", e);
        } catch (IOException e) {
            throw Failure.Code.BAD_REQUEST.with("the upload broke off: " + e.getMessage(), "send it again", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Failure.Code.NODE_UNREACHABLE.with("interrupted while the sandbox was asked", "try again", e);
        }
    }

    /// Changes as the agent sends them.
    private record GuestWatch(LinkStream stream) implements FileWatch {
        @Override
        public Optional<FileEvent> next() throws InterruptedException {
            try {
                if (stream.next() instanceof Incoming.Message(byte[] bytes)) {
                    return Optional.of(FileInfos.read(Replies.succeeded(Replies.parse(bytes)).getEvent()));
                }
                return Optional.empty();
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
