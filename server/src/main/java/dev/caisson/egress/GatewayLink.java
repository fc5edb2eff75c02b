package dev.caisson.egress;

import dev.caisson.json.FailureMessage;
import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.link.Incoming;
import dev.caisson.link.Link;
import dev.caisson.link.LinkException;
import dev.caisson.link.LinkLimits;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;

/// The node's end of the link to the gateway. It knows every living sandbox, and tells them all to a gateway that has been started again, before anything else.
/// So a node that has been started again registers all that live before it calls [#start]: the gateway forgets whom it is not told of, and cuts their connections.
///
/// While there is no gateway nothing leaves, and nothing else is the matter.
/// Threads: safe for many. Cleanup: close.
public final class GatewayLink implements AutoCloseable {
    /// How long a caller waits for a gateway that is just starting.
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(10);
    private static final Duration RECONNECT_PAUSE = Duration.ofMillis(50);
    private static final System.Logger LOG = System.getLogger(GatewayLink.class.getName());

    private final Path socket;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Map<SandboxId, Registration> registered = new LinkedHashMap<>();
    private final Thread connector = Thread.ofVirtual().name("gateway-link").unstarted(this::connect);
    /// Present once the gateway on it knows what [#registered] says.
    private @Nullable Link link;

    private GatewayLink(Path socket) {
        this.socket = socket;
    }

    /// Knows of no sandbox yet, and says nothing to anybody before [#start].
    public static GatewayLink to(Path socket) {
        return new GatewayLink(socket);
    }

    /// Connects in the background, for as long as it is open. Sandboxes that live already must have been registered: the gateway forgets all others.
    public void start() {
        connector.start();
    }

    private void connect() {
        try {
            while (true) {
                try (Link fresh = Link.start(SocketChannel.open(UnixDomainSocketAddress.of(socket)), Link.Side.DIALED, LinkLimits.INTERNAL, null, "gateway")) {
                    tellAll(fresh);
                    fresh.awaitEnd();
                } catch (IOException | SandboxException _) {
                    // It is not there, or went away; it will come back.
                } finally {
                    become(null);
                }
                Thread.sleep(RECONNECT_PAUSE);
            }
        } catch (InterruptedException _) {
            // Closed.
        }
    }

    /// Under the lock, so that what is registered meanwhile comes after it.
    private void tellAll(Link fresh) throws IOException, InterruptedException {
        lock.lockInterruptibly();
        try {
            ask(fresh, GatewayCall.KEEP_ONLY, out -> Json.writeTexts(out, "sandboxes", registered.keySet().stream().map(SandboxId::value).toList()));
            for (Registration registration : registered.values()) {
                tellOrForget(fresh, registration);
            }
            link = fresh;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /// One that the gateway refuses has no way out, and is in nobody else's.
    private static void tellOrForget(Link fresh, Registration registration) throws IOException, InterruptedException {
        try {
            tell(fresh, registration, false);
        } catch (SandboxException e) {
            LOG.log(System.Logger.Level.WARNING, "sandbox=" + registration.sandbox() + " has no way out, the gateway refuses its rules: " + e.getMessage());
            forget(fresh, registration.sandbox());
        }
    }

    private void become(@Nullable Link other) {
        lock.lock();
        try {
            link = other;
        } finally {
            lock.unlock();
        }
    }

    /// Tells the gateway of a sandbox, or of its new rules, which are in force when this returns.
    ///
    /// Returns what the sandbox needs to trust its own authority; nothing where none of its TLS is opened.
    /// Errors: [Failure.Code#EGRESS_UNAVAILABLE]; the gateway will be told as soon as it is there. Any other: the gateway refuses it, and what was registered before stays.
    public Optional<TrustSeeds> register(Registration registration) throws InterruptedException {
        lock.lockInterruptibly();
        try {
            Registration before = registered.put(registration.sandbox(), registration);
            try {
                return tellWithPatience(registration);
            } catch (SandboxException e) {
                if (e.code() != Failure.Code.EGRESS_UNAVAILABLE) {
                    restore(registration.sandbox(), before);
                }
                throw e;
            }
        } catch (IOException e) {
            throw unavailable(registration.sandbox(), e);
        } finally {
            lock.unlock();
        }
    }

    private void restore(SandboxId sandbox, @Nullable Registration before) {
        if (before == null) {
            registered.remove(sandbox);
        } else {
            registered.put(sandbox, before);
        }
    }

    /// With the lock held. A gateway that dies meanwhile is told again by the next one. Who is forgotten meanwhile waits no longer.
    private Optional<TrustSeeds> tellWithPatience(Registration registration) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            Link now = awaitLink(deadline, registration);
            try {
                return tell(now, registration, true);
            } catch (IOException _) {
                giveUp(now);
            } catch (InterruptedException e) {
                // The gateway may take it in at any later time, even after it was asked to forget it.
                giveUp(now);
                throw e;
            }
        }
    }

    /// With the lock held: a link that fails, or whose other end does not answer, is made anew, and then tells all.
    private void giveUp(Link broken) {
        if (link == broken) {
            link = null;
        }
        broken.close();
    }

    /// The same for one that nobody waits for: soon, unless it is forgotten before.
    public void registerSoon(Registration registration) {
        lock.lock();
        try {
            registered.put(registration.sandbox(), registration);
            if (link != null) {
                Thread.ofVirtual().name("gateway-register").start(() -> tellIfStill(registration));
            }
        } finally {
            lock.unlock();
        }
    }

    private void tellIfStill(Registration registration) {
        lock.lock();
        Link now = link;
        try {
            if (now != null && registered.get(registration.sandbox()) == registration) {
                tellOrForget(now, registration);
            }
        } catch (IOException _) {
            giveUp(now);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        } finally {
            lock.unlock();
        }
    }

    /// It is gone: its connections are cut.
    public void forget(SandboxId sandbox) throws InterruptedException {
        lock.lockInterruptibly();
        Link now = link;
        try {
            registered.remove(sandbox);
            if (now != null) {
                forget(now, sandbox);
            }
        } catch (IOException _) {
            giveUp(now);
        } finally {
            lock.unlock();
        }
    }

    private static void forget(Link link, SandboxId sandbox) throws IOException, InterruptedException {
        try {
            ask(link, GatewayCall.FORGET, out -> out.writeStringProperty("sandbox", sandbox.value()));
        } catch (SandboxException e) {
            LOG.log(System.Logger.Level.WARNING, "sandbox=" + sandbox + " is not wholly forgotten by the gateway: " + e.getMessage());
        }
    }

    /// See [dev.caisson.sandbox.Sandboxes#flows].
    public List<Flow> flows(SandboxId sandbox, long after, int limit) throws InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        try {
            while (true) {
                Link now = linkBy(deadline);
                var flows = new ArrayList<Flow>();
                try {
                    ask(now, GatewayCall.FLOWS, out -> {
                        out.writeStringProperty("sandbox", sandbox.value());
                        out.writeNumberProperty("after", after);
                        out.writeNumberProperty("limit", limit);
                    }, part -> flows.addAll(part.objects("flows", Forms.FLOW)));
                    return flows;
                } catch (IOException e) {
                    if (now.over().isEmpty()) {
                        throw e;
                    }
                    // It died meanwhile; the next one has the same logs.
                }
            }
        } catch (IOException e) {
            throw unavailable(sandbox, e);
        }
    }

    private Link linkBy(long deadline) throws IOException, InterruptedException {
        lock.lockInterruptibly();
        try {
            return awaitLink(deadline, null);
        } finally {
            lock.unlock();
        }
    }

    /// With the lock held.
    ///
    /// @param wanted is waited for only while it is what is registered; null: whatever is
    private Link awaitLink(long deadline, @Nullable Registration wanted) throws IOException, InterruptedException {
        while (true) {
            if (wanted != null && registered.get(wanted.sandbox()) != wanted) {
                throw new LinkException("it was forgotten, or told something newer, meanwhile");
            }
            Link now = link;
            if (now != null && now.over().isEmpty()) {
                return now;
            }
            long left = deadline - System.nanoTime();
            if (left <= 0) {
                throw new LinkException("no gateway answers at " + socket);
            }
            // In turns: nobody says at once that the link which is there is over.
            long _ = changed.awaitNanos(Math.min(left, RECONNECT_PAUSE.toNanos()));
        }
    }

    /// @param trust whether anybody wants to know what the sandbox needs to trust its authority
    private static Optional<TrustSeeds> tell(Link link, Registration registration, boolean trust) throws IOException, InterruptedException {
        return ask(link, GatewayCall.REGISTER, out -> {
            RegistrationForm.FORM.writeKeys(registration, out);
            out.writeBooleanProperty("trust", trust);
        }).objectOr("trust", TrustSeedsForm.FORM);
    }

    private static JsonObject ask(Link link, GatewayCall call, Consumer<JsonGenerator> keys) throws IOException, InterruptedException {
        return ask(link, call, keys, _ -> {});
    }

    /// @param parts is given each message of the answer that has flows
    private static JsonObject ask(Link link, GatewayCall call, Consumer<JsonGenerator> keys, Consumer<JsonObject> parts) throws IOException, InterruptedException {
        byte[] opening = Json.object(out -> {
            out.writeStringProperty("call", Json.label(call));
            keys.accept(out);
        });
        try (LinkStream stream = link.open(opening)) {
            var answer = message(stream);
            while (answer.has("flows")) {
                parts.accept(answer);
                answer = message(stream);
            }
            stream.awaitClose();
            stream.finish();
            FailureMessage.throwIn(answer);
            return answer;
        }
    }

    private static JsonObject message(LinkStream stream) throws IOException, InterruptedException {
        if (!(stream.next(ANSWER_WITHIN) instanceof Incoming.Message(byte[] bytes))) {
            throw new LinkException("the gateway gave no answer");
        }
        return JsonObject.parse(bytes);
    }

    private static SandboxException unavailable(SandboxId sandbox, IOException cause) {
        return Failure.Code.EGRESS_UNAVAILABLE.with("the gateway cannot be told of sandbox " + sandbox + ": " + cause.getMessage(), "it may be restarting: try again, and look at `caisson status`", cause);
    }

    @Override
    public void close() {
        if (connector.getState() == Thread.State.NEW) {
            return;
        }
        connector.interrupt();
        try {
            connector.join(Duration.ofSeconds(5));
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
