package dev.caisson.egress;

import dev.caisson.egress.RelayOwner.Allowed;
import dev.caisson.egress.RelayOwner.Denied;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// Relays one connection of a sandbox to one destination, request by request: each is read strictly and once, judged, and written anew, so that the server gets what was
/// judged and nothing else.
///
/// ```
/// await → read head → check → judge → [dial] → send ⇄ receive → await …
///                 ╰ refuse ╯      ╰ deny ╯ → say why → end
/// ```
///
/// Threads: [#run] in one; [#cut] from anywhere.
/// Cleanup: run closes both sides before it returns.
final class HttpRelay implements Deadlines.Dated {
    private static final int MAX_LINGER = 256 * 1024;
    private static final Duration LINGER = Duration.ofSeconds(2);
    static final long LONGEST_REST_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final Wire client;
    private final Destination to;
    private final RelayOwner owner;
    private final SandboxSecrets.ForHost secrets;
    private final Deadlines deadlines;
    private final AtomicReference<@Nullable String> cut = new AtomicReference<>();
    private volatile @Nullable ServerConnection server;
    private volatile long deadline;
    private volatile long patience;
    private volatile boolean renewed;
    private volatile String late = "";
    private @Nullable Copying sending;

    HttpRelay(Wire client, Destination to, RelayOwner owner, SandboxSecrets secrets, Deadlines deadlines) {
        this.client = client;
        this.to = to;
        this.owner = owner;
        this.secrets = secrets.at(to);
        this.deadlines = deadlines;
    }

    /// Relays until either side ends it, something is refused, or it is cut; answers why, empty when nothing is to be said.
    String run() {
        within(deadlines.times().idle(), false, "no request came");
        deadlines.add(this);
        try {
            var in = new HttpInput(client.in(), _ -> touch());
            var out = new HttpOutput(client.out(), _ -> touch());
            boolean more = true;
            while (more) {
                out.release();
                within(deadlines.times().idle(), false, "no further request came");
                more = in.await() && relayed(in, out);
            }
            leave(in);
            return why("");
        } catch (IOException e) {
            String message = e.getMessage();
            return why(message == null ? e.getClass().getSimpleName() : message);
        } finally {
            deadlines.remove(this);
            client.close();
            drop();
        }
    }

    private String why(String otherwise) {
        String reason = cut.get();
        return reason == null ? otherwise : reason;
    }

    private boolean relayed(HttpInput in, HttpOutput out) throws IOException {
        boolean content = true;
        try {
            within(deadlines.times().head(), false, "a request's head took too long");
            RequestHead head = HeadReader.request(in);
            content = !head.method().equals("HEAD");
            within(deadlines.times().silent(), true, "nothing moved any more");
            var target = HttpTarget.of(head, to, owner.looksAtPaths());
            Framing framing = Framing.of(head);
            switch (owner.request(head.method(), target.path())) {
                case Denied denied -> {
                    say(Reply.denied(denied), out, content);
                    return false;
                }
                case Allowed _ -> {}
            }
            return new Exchange(this, head, target, framing, in, out).run();
        } catch (BadHttp e) {
            owner.refused(e.status(), String.valueOf(e.getMessage()));
            say(Reply.bad(e), out, content);
            return false;
        } catch (Unanswered e) {
            var reply = Reply.unanswered(to, e.why);
            owner.refused(reply.status(), reply.reason());
            say(reply, out, content);
            return false;
        }
    }

    /// The server could not be reached, or did not answer in HTTP/1.1; nothing has been said to the client yet.
    static final class Unanswered extends IOException {
        private final IOException why;

        Unanswered(IOException why) {
            super(why);
            this.why = why;
        }
    }

    private void say(Reply reply, HttpOutput out, boolean withContent) throws IOException {
        drop();
        within(deadlines.times().head(), false, "the client did not take its answer");
        reply.write(out, withContent);
    }

    /// Says that nothing more comes, and waits a little for the client to stop sending: closing at once would make its kernel throw away what was said.
    /// The client has all that it will get; how it goes is its own matter.
    private void leave(HttpInput in) {
        try {
            end(in);
        } catch (IOException _) {
            // It was gone before.
        }
    }

    private void end(HttpInput in) throws IOException {
        drop();
        within(LINGER, false, "");
        client.finish();
        Copying last = sending;
        if (last != null && !last.hasEndedWithin(LINGER)) {
            return;
        }
        byte[] nothing = new byte[4096];
        int read = 0;
        for (int count = in.read(nothing, 0, nothing.length); count >= 0 && read < MAX_LINGER; count = in.read(nothing, 0, nothing.length)) {
            read += count;
        }
    }

    /// Content of a request that is on its way, perhaps still when its answer is not.
    void sending(Copying copying) {
        sending = copying;
    }

    Destination to() {
        return to;
    }

    RelayOwner owner() {
        return owner;
    }

    SandboxSecrets.ForHost secrets() {
        return secrets;
    }

    /// Says that nothing more comes.
    void finishClient() throws IOException {
        client.finish();
    }

    /// The connection to the server for the next request.
    ///
    /// @param fresh a new one, whatever there is
    ServerConnection server(boolean fresh, boolean repeatable) throws Unanswered {
        try {
            ServerConnection known = server;
            if (known != null && !fresh && known.isGood(repeatable, LONGEST_REST_NANOS)) {
                return known;
            }
            drop();
            var dialed = new ServerConnection(owner.dial(), count -> moved(count, 0), count -> moved(0, count));
            server = dialed;
            if (cut.get() != null) {
                dialed.close();
            }
            return dialed;
        } catch (IOException e) {
            throw new Unanswered(e);
        }
    }

    /// Ends the connection to the server.
    void drop() {
        ServerConnection known = server;
        server = null;
        if (known != null) {
            known.close();
        }
    }

    private void moved(int sent, int received) {
        touch();
        owner.moved(sent, received);
    }

    private void touch() {
        if (renewed) {
            deadline = System.nanoTime() + patience;
        }
    }

    private void within(Duration longest, boolean eachMove, String reason) {
        renewed = false;
        late = reason;
        patience = longest.toNanos();
        deadline = System.nanoTime() + patience;
        renewed = eachMove;
    }

    @Override
    public long deadline() {
        return deadline;
    }

    @Override
    public void late() {
        cut(late);
    }

    /// Ends both sides at once. Safe to call at any time, and twice.
    void cut(String reason) {
        cut.compareAndSet(null, reason);
        client.close();
        ServerConnection known = server;
        if (known != null) {
            known.close();
        }
    }
}
