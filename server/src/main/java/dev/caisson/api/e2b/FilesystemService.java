package dev.caisson.api.e2b;

import dev.caisson.json.Json;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileEvent;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Sandboxes;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JsonGenerator;

/// `filesystem.Filesystem`: looks at files, moves and removes them, and watches directories.
final class FilesystemService {
    private static final String KEEPALIVE = "{\"keepalive\":{}}";
    private static final int MAX_DEPTH = 64;
    /// As a walk comes by: each directory right before what is in it, names in the order of their characters.
    private static final Comparator<FileInfo> WALK = Comparator.comparing(info -> info.path().replace('/', '\0'));

    private final Guest guest;
    private final Watchers watchers;

    FilesystemService(Sandboxes sandboxes) {
        this.guest = new Guest(sandboxes);
        this.watchers = new Watchers();
    }

    Map<String, Rpc.Method> methods() {
        return Map.of(
                "Stat", new Rpc.Method.Unary(this::stat),
                "MakeDir", new Rpc.Method.Unary(this::makeDirectory),
                "Move", new Rpc.Method.Unary(this::move),
                "ListDir", new Rpc.Method.Unary(this::list),
                "Remove", new Rpc.Method.Unary(this::remove),
                "WatchDir", new Rpc.Method.ServerStream(KEEPALIVE, this::watch),
                "CreateWatcher", new Rpc.Method.Unary(this::createWatcher),
                "GetWatcherEvents", new Rpc.Method.Unary(this::watcherEvents),
                "RemoveWatcher", new Rpc.Method.Unary(this::removeWatcher));
    }

    /// The files of a sandbox as one caller names them.
    private record Place(Files files, String user) {
        String path(ProtoObject in, String name) {
            return GuestPaths.absolute(files, in.text(name), user);
        }
    }

    private Place place(Session session) {
        return new Place(guest.files(session.id()), session.user());
    }

    private static byte[] entry(FileInfo info) {
        return Json.object(out -> {
            out.writeName("entry");
            Entries.write(info, out);
        });
    }

    private byte[] stat(Session session, ProtoObject in) {
        Place place = place(session);
        return entry(place.files().stat(place.path(in, "path"), place.user()));
    }

    private byte[] makeDirectory(Session session, ProtoObject in) {
        Place place = place(session);
        String path = place.path(in, "path");
        try {
            if (!place.files().makeDirectory(path, place.user())) {
                throw new RpcException(RpcCode.ALREADY_EXISTS, "directory already exists: " + Failure.shown(path, 4096));
            }
        } catch (SandboxException e) {
            if (e.code() == Failure.Code.FILE_EXISTS) {
                throw new RpcException(RpcCode.INVALID_ARGUMENT, "path already exists but it is not a directory: " + Failure.shown(path, 4096));
            }
            throw e;
        }
        return entry(place.files().stat(path, place.user()));
    }

    private byte[] move(Session session, ProtoObject in) {
        Place place = place(session);
        String from = place.path(in, "source");
        String to = place.path(in, "destination");
        int slash = to.lastIndexOf('/');
        // Said first, so that a directory is not made for nothing.
        place.files().stat(from, place.user());
        if (slash > 0) {
            place.files().makeDirectory(to.substring(0, slash), place.user());
        }
        return entry(place.files().rename(from, to, place.user()));
    }

    private byte[] list(Session session, ProtoObject in) {
        Place place = place(session);
        String path = place.path(in, "path");
        int depth = (int) Math.min(MAX_DEPTH, Math.max(1, in.whole("depth")));
        List<FileInfo> entries = place.files().list(path, place.user(), depth);
        return Json.object(out -> {
            out.writeArrayPropertyStart("entries");
            // A link that leads nowhere is not shown, as clients expect.
            entries.stream().filter(info -> Guest.resolvedKind(info) != FileInfo.Kind.SYMLINK).sorted(WALK).forEach(info -> Entries.write(info, out));
            out.writeEndArray();
        });
    }

    private byte[] remove(Session session, ProtoObject in) {
        Place place = place(session);
        String path = place.path(in, "path");
        try {
            place.files().remove(path, place.user());
        } catch (SandboxException e) {
            if (e.code() != Failure.Code.FILE_NOT_FOUND) {
                throw e;
            }
        }
        return Rpc.NOTHING;
    }

    private void watch(Session session, ProtoObject in, MessageStream out) throws IOException, InterruptedException {
        Place place = place(session);
        String path = place.path(in, "path");
        boolean entries = in.truth("includeEntry", false);
        try (var watch = opened(place, path, in); var deadline = new Deadline(session.timeout(), watch::close)) {
            out.whenLost(watch::close);
            out.send("{\"start\":{}}");
            for (var event = watch.next(); event.isPresent(); event = watch.next()) {
                out.send(filesystemEvent(place, path, event.get(), entries));
            }
            if (deadline.isOver()) {
                throw new RpcException(RpcCode.DEADLINE_EXCEEDED, "context deadline exceeded");
            }
        }
        throw new RpcException(RpcCode.UNAVAILABLE, "the watch has ended");
    }

    private static Files.FileWatch opened(Place place, String path, ProtoObject in) {
        if (Guest.resolvedKind(place.files().stat(path, place.user())) != FileInfo.Kind.DIRECTORY) {
            throw new RpcException(RpcCode.INVALID_ARGUMENT, "path is not a directory: " + Failure.shown(path, 4096));
        }
        return place.files().watch(path, place.user(), in.truth("recursive", false));
    }

    private static String filesystemEvent(Place place, String directory, FileEvent event, boolean entries) {
        var entry = entries ? entry(place, directory, event) : Optional.<FileInfo>empty();
        return new String(Json.object(out -> {
            out.writeObjectPropertyStart("filesystem");
            writeKeys(event, entry, out);
            out.writeEndObject();
        }), StandardCharsets.UTF_8);
    }

    private static void writeKeys(FileEvent event, Optional<FileInfo> entry, JsonGenerator out) {
        out.writeStringProperty("name", event.path());
        out.writeStringProperty("type", switch (event.kind()) {
            case CREATED -> "EVENT_TYPE_CREATE";
            case WRITTEN -> "EVENT_TYPE_WRITE";
            case REMOVED -> "EVENT_TYPE_REMOVE";
            case RENAMED -> "EVENT_TYPE_RENAME";
            case ATTRIBUTES -> "EVENT_TYPE_CHMOD";
            case OVERFLOW -> throw new RpcException(RpcCode.RESOURCE_EXHAUSTED, "events were lost because too many came at once: list the directory again");
        });
        entry.ifPresent(info -> {
            out.writeName("entry");
            Entries.write(info, out);
        });
    }

    /// What is there now; by then the file may be gone again.
    private static Optional<FileInfo> entry(Place place, String directory, FileEvent event) {
        return switch (event.kind()) {
            case CREATED, WRITTEN, ATTRIBUTES -> {
                try {
                    yield Optional.of(place.files().stat(directory + "/" + event.path(), place.user()));
                } catch (SandboxException e) {
                    if (e.code().category() == Failure.Category.GUEST || e.code().category() == Failure.Category.UNAVAILABLE) {
                        throw e;
                    }
                    yield Optional.empty();
                }
            }
            case REMOVED, RENAMED, OVERFLOW -> Optional.empty();
        };
    }

    private byte[] createWatcher(Session session, ProtoObject in) {
        Place place = place(session);
        String path = place.path(in, "path");
        boolean entries = in.truth("includeEntry", false);
        String id = watchers.open(session.id(), () -> opened(place, path, in), event -> filesystemEvent(place, path, event, entries));
        return Json.object(out -> out.writeStringProperty("watcherId", id));
    }

    private byte[] watcherEvents(Session session, ProtoObject in) throws InterruptedException {
        List<String> events = watchers.take(session.id(), in.text("watcherId"));
        // Each is {"filesystem":{…}}, of which the inner object is wanted.
        var joined = new StringBuilder("{\"events\":[");
        for (int i = 0; i < events.size(); i++) {
            String event = events.get(i);
            joined.append(i == 0 ? "" : ",").append(event, "{\"filesystem\":".length(), event.length() - 1);
        }
        return joined.append("]}").toString().getBytes(StandardCharsets.UTF_8);
    }

    private byte[] removeWatcher(Session session, ProtoObject in) {
        watchers.remove(session.id(), in.text("watcherId"));
        return Rpc.NOTHING;
    }
}
