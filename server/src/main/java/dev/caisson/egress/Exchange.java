package dev.caisson.egress;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/// One request that was allowed, and its answer.
///
/// The answer is received while content is still being sent: servers may answer early, and some talk both ways.
/// Threads: one, and one of its own for content that has not arrived yet.
final class Exchange {
    private static final int MAX_INTERIM = 16;
    /// Content up to this is held until its length is known once secrets are in it. Unit: bytes.
    private static final int MAX_HELD = 1 << 20;
    private static final Duration LAST_PIECE = Duration.ofMillis(50);
    private static final Duration LAST_CONTENT = Duration.ofSeconds(2);

    private final HttpRelay relay;
    private final RequestHead head;
    private final HttpTarget target;
    private final Framing framing;
    private final HttpInput in;
    private final HttpOutput out;
    private final RequestSecrets secrets;
    private boolean upgrade;

    Exchange(HttpRelay relay, RequestHead head, HttpTarget target, Framing framing, HttpInput in, HttpOutput out) {
        this.relay = relay;
        this.head = head;
        this.target = target;
        this.framing = framing;
        this.in = in;
        this.out = out;
        secrets = new RequestSecrets(relay.secrets(), relay.owner());
    }

    /// True when the client's connection can carry another request.
    ///
    /// Errors: [BadHttp] and [HttpRelay.Unanswered] while the client has not been answered yet; it can be then.
    boolean run() throws IOException {
        Optional<Replacer> through = framing instanceof Framing.None ? Optional.empty() : secrets.content(head.fields());
        boolean changes = through.isPresent() && secrets.replacesContent();
        boolean held = changes && framing instanceof Framing.Fixed fixed && fixed.length() <= MAX_HELD;
        boolean waits = waitsForContinue();
        byte[] content = {};
        Framing outward = framing;
        if (held) {
            goOn(waits);
            content = held(through.orElseThrow());
            outward = new Framing.Fixed(content.length);
        } else if (changes) {
            outward = new Framing.Chunked();
        }
        var request = OutgoingRequest.of(head, target, relay.to(), outward, secrets);
        upgrade = request.upgrade();
        ServerConnection server = relay.server(false, request.isRepeatable());
        Sent sent;
        if (held || framing instanceof Framing.None) {
            sent = Sent.WHOLE;
            server = ask(server, request, content);
        } else {
            send(server, request, content);
            goOn(waits);
            sent = new Sent(sending(server, new BodySink(outward, server.out()), through));
        }
        ResponseHead answer = answer(server, sent);
        relay.owner().answered(head.method(), target.path(), answer.status());
        return answer.status() == 101 ? tunnelled(server, answer) : received(server, answer, sent);
    }

    private boolean waitsForContinue() throws BadHttp {
        var expectations = head.fields().values("expect");
        if (expectations.isEmpty()) {
            return false;
        }
        if (expectations.size() != 1 || !expectations.getFirst().equalsIgnoreCase("100-continue")) {
            throw new BadHttp(417, "an expectation that is not 100-continue");
        }
        return head.minor() == 1 && !(framing instanceof Framing.None);
    }

    /// The request has been judged, so its content may come.
    private void goOn(boolean waits) throws IOException {
        if (waits && in.buffered() == 0) {
            out.write("HTTP/1.1 100 Continue\r\n\r\n");
            out.flush();
        }
    }

    private byte[] held(Replacer through) throws IOException {
        var whole = new ByteArrayOutputStream();
        byte[] piece = new byte[8192];
        var source = BodySource.of(framing, in);
        for (int count = source.read(piece, 0, piece.length); count >= 0; count = source.read(piece, 0, piece.length)) {
            through.write(piece, 0, count, whole::write);
        }
        through.end(whole::write);
        return whole.toByteArray();
    }

    /// Sends a request that is here as a whole; a second time when a connection that was used before turns out to have been ended.
    private ServerConnection ask(ServerConnection server, OutgoingRequest request, byte[] content) throws IOException {
        try {
            send(server, request, content);
            server.in().await();
            if (!server.isSilent() || !server.isUsed() || !request.isRepeatable()) {
                return server;
            }
        } catch (IOException e) {
            if (!server.isSilent() || !server.isUsed() || !request.isRepeatable()) {
                throw new HttpRelay.Unanswered(e);
            }
        }
        ServerConnection fresh = relay.server(true, true);
        send(fresh, request, content);
        return fresh;
    }

    private static void send(ServerConnection server, OutgoingRequest request, byte[] content) throws HttpRelay.Unanswered {
        try {
            server.out().write(request.head());
            server.out().write(content, 0, content.length);
            server.out().flush();
        } catch (IOException e) {
            throw new HttpRelay.Unanswered(e);
        }
    }

    /// What of the request is still on its way.
    ///
    /// @param content empty when there is none
    private record Sent(Optional<Copying> content) {
        private static final Sent WHOLE = new Sent(Optional.empty());

        private Sent(Copying content) {
            this(Optional.of(content));
        }

        boolean hasEndedWithin(Duration patience) throws IOException {
            return content.isEmpty() || content.get().hasEndedWithin(patience);
        }

        boolean isWhole() {
            return content.isEmpty() || content.get().isWhole();
        }
    }

    private Copying sending(ServerConnection server, BodySink sink, Optional<Replacer> through) {
        var copying = new Copying(BodySource.of(framing, in), through, sink);
        boolean here = framing instanceof Framing.Fixed fixed && fixed.length() <= in.buffered();
        // A request that cannot be read to its end must not look whole to the server.
        relay.sending(copying);
        copying.start(!here, server::close);
        return copying;
    }

    /// The head of the answer; interim ones are passed on.
    private ResponseHead answer(ServerConnection server, Sent sent) throws IOException {
        try {
            for (int interim = 0; interim <= MAX_INTERIM; interim++) {
                ResponseHead answer = HeadReader.response(server.in());
                if (!answer.isInterim()) {
                    return checked(answer);
                }
                if (answer.status() != 100 && head.minor() == 1) {
                    out.write(written(answer, "", answer.fields().inward()));
                    out.flush();
                }
            }
            throw new BadHttp(502, "more than " + MAX_INTERIM + " interim answers");
        } catch (IOException e) {
            relay.drop();
            var unreadable = sent.hasEndedWithin(LAST_PIECE) ? sent.content().flatMap(Copying::unreadable) : Optional.<IOException>empty();
            if (unreadable.isPresent()) {
                throw unreadable.get();
            }
            throw new HttpRelay.Unanswered(e instanceof BadHttp bad ? new IOException("not an answer in HTTP/1.1: " + bad.getMessage(), bad) : e);
        }
    }

    private ResponseHead checked(ResponseHead answer) throws BadHttp {
        Framing.of(answer, false);
        if (answer.status() == 101 && !(upgrade && answer.fields().tokens("upgrade").contains("websocket"))) {
            throw new BadHttp(502, "another protocol that was not asked for");
        }
        return answer;
    }

    private boolean received(ServerConnection server, ResponseHead answer, Sent sent) throws IOException {
        boolean toHead = head.method().equals("HEAD");
        Framing from = Framing.of(answer, toHead);
        Optional<Replacer> through = from instanceof Framing.None ? Optional.empty() : secrets.answered(answer.fields());
        Framing onward = onward(from, through.isPresent());
        boolean keeps = head.minor() == 1 && !head.fields().tokens("connection").contains("close") && !(onward instanceof Framing.UntilClose) && sent.hasEndedWithin(LAST_PIECE) && sent.isWhole();
        String length = from instanceof Framing.None && (toHead || answer.status() == 304) ? answer.fields().first("content-length").map(value -> "Content-Length: " + value + "\r\n").orElse("") : "";
        out.write(written(answer, length + OutgoingRequest.framed(onward) + (keeps ? "" : "Connection: close\r\n"), secrets.inward(answer.fields().inward())));
        if (!server.in().hasMore()) {
            out.flush();
        }
        try {
            new Copying(BodySource.of(from, server.in()), through, new BodySink(onward, out)).run();
        } catch (BadHttp e) {
            // What has been passed on cannot be taken back: the client sees that the answer broke off.
            throw new IOException("the answer broke off: " + e.getMessage(), e);
        }
        boolean ended = sent.hasEndedWithin(keeps ? Duration.ZERO : LAST_CONTENT);
        if (ended && sent.isWhole() && answer.minor() == 1 && !answer.fields().tokens("connection").contains("close") && !(from instanceof Framing.UntilClose) && !server.in().hasMore()) {
            server.rest();
        } else {
            relay.drop();
        }
        return keeps && ended;
    }

    private Framing onward(Framing from, boolean changes) {
        return switch (from) {
            case Framing.None none -> none;
            case Framing.Fixed fixed when !changes -> fixed;
            case Framing.Fixed _, Framing.Chunked _, Framing.UntilClose _ -> head.minor() == 1 ? new Framing.Chunked() : new Framing.UntilClose();
        };
    }

    private static String written(ResponseHead answer, String more, Iterable<HeadFields.Field> fields) {
        var text = new StringBuilder(512).append("HTTP/1.1 ").append(answer.status()).append(' ').append(answer.reason()).append("\r\n");
        fields.forEach(field -> OutgoingRequest.append(text, field));
        return text.append(more).append("\r\n").toString();
    }

    /// Bytes both ways, in a protocol that is not looked at, until both sides have ended.
    private boolean tunnelled(ServerConnection server, ResponseHead answer) throws IOException {
        out.write(written(answer, "Connection: Upgrade\r\nUpgrade: websocket\r\n", answer.fields().inward()));
        out.flush();
        var raw = new Framing.UntilClose();
        var outward = Thread.ofVirtual().name("egress-tunnel").start(() -> {
            try {
                new Copying(BodySource.of(raw, in), Optional.empty(), new BodySink(raw, server.out())).run();
                server.finish();
            } catch (IOException e) {
                relay.cut("the tunnel broke off: " + e.getMessage());
            }
        });
        new Copying(BodySource.of(raw, server.in()), Optional.empty(), new BodySink(raw, out)).run();
        relay.finishClient();
        try {
            outward.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return false;
    }
}
