package dev.caisson.api.e2b;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxState;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The Connect protocol in its JSON form: which method a path names, and how its messages and failures travel.
///
/// Unary: one JSON document each way, a failure has the status of its code. Streaming: envelopes, status 200, a failure is the last message.
final class Rpc {
    /// One method of a service.
    sealed interface Method {
        /// Answers the JSON of one message.
        record Unary(Action action) implements Method {
            interface Action {
                byte[] call(Session session, ProtoObject in) throws IOException, InterruptedException;
            }
        }

        /// Takes one message, answers any number.
        record ServerStream(String keepalive, Action action) implements Method {
            interface Action {
                void call(Session session, ProtoObject in, MessageStream out) throws IOException, InterruptedException;
            }
        }

        /// Takes any number of messages, answers one.
        record ClientStream(Action action) implements Method {
            interface Action {
                void call(Session session, Messages in) throws IOException, InterruptedException;
            }
        }
    }

    /// The messages of a client's stream, as they come.
    interface Messages {
        Optional<ProtoObject> next() throws IOException;
    }

    static final byte[] NOTHING = {'{', '}'};

    private final Map<String, Method> methods = new HashMap<>();
    private final Faults faults;

    Rpc(ProcessService processes, FilesystemService files, Faults faults) {
        this.faults = faults;
        processes.methods().forEach((name, method) -> methods.put("/process.Process/" + name, method));
        files.methods().forEach((name, method) -> methods.put("/filesystem.Filesystem/" + name, method));
    }

    boolean knows(String path) {
        return methods.containsKey(path);
    }

    void answer(Session session, String path) throws IOException, InterruptedException {
        if (!session.http().request().getMethod().equals("POST")) {
            session.http().put("Allow", "POST");
            throw new Refusal(405, "this path is asked with POST only");
        }
        Method method = java.util.Objects.requireNonNull(methods.get(path));
        String wanted = method instanceof Method.Unary ? Call.JSON : MessageStream.MEDIA_TYPE;
        if (!session.http().mediaType().equals(wanted)) {
            session.http().put("Accept-Post", wanted);
            session.http().empty(415);
            return;
        }
        switch (method) {
            case Method.Unary unary -> unary(session, unary);
            case Method.ServerStream stream -> serverStream(session, stream);
            case Method.ClientStream stream -> clientStream(session, stream);
        }
    }

    private static void checkHeaders(Session session, String encodingHeader) {
        String encoding = session.http().header(encodingHeader);
        if (!encoding.isEmpty() && !encoding.equals("identity")) {
            throw new RpcException(RpcCode.UNIMPLEMENTED, "the compression '" + Failure.shown(encoding) + "' is not known; send messages as they are");
        }
        String version = session.http().header("Connect-Protocol-Version");
        if (!version.isEmpty() && !version.equals("1")) {
            throw new RpcException(RpcCode.INVALID_ARGUMENT, "version " + Failure.shown(version) + " of the Connect protocol is not known, only 1");
        }
    }

    private void unary(Session session, Method.Unary method) throws IOException, InterruptedException {
        byte[] answer;
        try {
            checkHeaders(session, "Content-Encoding");
            answer = method.action().call(session, new ProtoObject(session.http().json()));
        } catch (RpcException e) {
            session.http().bytes(e.code().status(), Call.JSON, e.bytes());
            return;
        } catch (SandboxException e) {
            // Of a sandbox that is gone the plane tells in the words of its proxy.
            if (e.code() == Failure.Code.SANDBOX_NOT_FOUND || e.code() == Failure.Code.GUEST_FAILED || isPaused(session, e)) {
                throw e;
            }
            RpcException told = told(e);
            session.http().bytes(told.code().status(), Call.JSON, told.bytes());
            return;
        }
        session.http().bytes(200, Call.JSON, answer);
    }

    private static boolean isPaused(Session session, SandboxException e) {
        return e.code() == Failure.Code.WRONG_STATE && session.sandbox().state() != SandboxState.RUNNING;
    }

    private void serverStream(Session session, Method.ServerStream method) throws IOException, InterruptedException {
        try (var out = new MessageStream(session, method.keepalive())) {
            try {
                checkHeaders(session, "Connect-Content-Encoding");
                method.action().call(session, only(session.http().body()), out);
                out.end();
            } catch (RpcException | SandboxException e) {
                if (out.lost()) {
                    throw new IOException("the client went away", e);
                }
                out.fail(told(e));
            }
        }
        session.http().callback().succeeded();
    }

    private void clientStream(Session session, Method.ClientStream method) throws IOException, InterruptedException {
        try (var out = new MessageStream(session, "{}"); InputStream body = session.http().body()) {
            try {
                checkHeaders(session, "Connect-Content-Encoding");
                method.action().call(session, () -> Envelope.read(body).map(ProtoObject::parse));
                out.send("{}");
                out.end();
            } catch (RpcException | SandboxException e) {
                out.fail(told(e));
            }
        }
        session.http().callback().succeeded();
    }

    private static ProtoObject only(InputStream body) throws IOException {
        byte[] message = Envelope.read(body).orElseThrow(() -> new RpcException(RpcCode.INVALID_ARGUMENT, "the request has no message"));
        if (Envelope.read(body).isPresent()) {
            throw new RpcException(RpcCode.INVALID_ARGUMENT, "the request has more than one message");
        }
        return ProtoObject.parse(message);
    }

    private RpcException told(RuntimeException e) {
        return switch (e) {
            case RpcException told -> told;
            case SandboxException known -> {
                if (known.code().category() == Failure.Category.BUG) {
                    faults.refusal(known);
                }
                yield RpcException.of(known);
            }
            default -> {
                @Nullable String text = faults.refusal(e).getMessage();
                yield new RpcException(RpcCode.INTERNAL, String.valueOf(text));
            }
        };
    }
}
