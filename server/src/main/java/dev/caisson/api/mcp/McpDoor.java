package dev.caisson.api.mcp;

import dev.caisson.api.Door;
import dev.caisson.policy.Caller;
import dev.caisson.policy.KeyStore;
import dev.caisson.policy.Quota;
import dev.caisson.policy.Tenants;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Sandboxes;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.jspecify.annotations.Nullable;

/// Who may speak MCP here: bearers of a key, and of web pages only those that the operator named.
///
/// A page that a browser shows can be made to call an address of its own machine (DNS rebinding), so whatever carries an `Origin` is refused unless it is one
/// of the configured ones. The SDK and what it brings (some 900 classes) is loaded by the first request that has a valid key.
public final class McpDoor extends Handler.Abstract implements Door {
    private static final System.Logger LOG = System.getLogger(McpDoor.class.getName());
    private static final String PATH = "/mcp";
    private static final int MAX_FAULTS_LOGGED = 1_000;

    private final Sandboxes sandboxes;
    private final KeyStore keys;
    private final Quota quota;
    private final TierPolicy tiers;
    private final WayOut ways;
    private final PreviewLinks links;
    private final List<String> origins;
    private final AtomicLong faults = new AtomicLong();
    private final ReentrantLock opening = new ReentrantLock();
    private volatile @Nullable McpEndpoint endpoint;

    /// @param tiers chooses the wall of each
    /// @param ways what sandboxes may reach outside
    /// @param origins of web pages that may call, such as `https://chat.example.org`; usually none
    public McpDoor(Sandboxes sandboxes, KeyStore keys, Quota quota, TierPolicy tiers, WayOut ways, PreviewLinks links, List<String> origins) {
        this.sandboxes = sandboxes;
        this.keys = keys;
        this.quota = quota;
        this.tiers = tiers;
        this.ways = ways;
        this.links = links;
        this.origins = List.copyOf(origins);
    }

    @Override
    public boolean takes(Request request) {
        return Request.getPathInContext(request).equals(PATH);
    }

    @Override
    public Handler handler() {
        return this;
    }

    @Override
    public boolean handle(Request request, Response response, Callback callback) {
        var call = new HttpCall(request, response, callback);
        try {
            answer(call);
        } catch (Exception e) {
            if (response.isCommitted()) {
                // Nothing can be said any more; a cut connection is the message.
                callback.failed(e);
            } else {
                refuse(call, e);
            }
        }
        return true;
    }

    private void answer(HttpCall call) throws Exception {
        Optional<String> origin = call.header("Origin");
        if (origin.isPresent()) {
            if (!origins.contains(origin.get())) {
                call.error(403, JsonRpc.INVALID_REQUEST, "web pages of " + Failure.shown(origin.get()) + " may not call this server; its operator can name them in CAISSON_MCP_ORIGINS");
                return;
            }
            call.allowOrigin(origin.get());
        }
        String method = call.request().getMethod();
        if (method.equals("OPTIONS") && origin.isPresent()) {
            call.preflight();
            return;
        }
        Caller caller = caller(call);
        switch (method) {
            case "POST" -> endpoint().post(call, caller);
            case "DELETE" -> endpoint().delete(call, caller);
            default -> {
                // No message of ours comes unasked, so there is no stream to GET.
                call.responseHeader(HttpHeader.ALLOW, "DELETE, POST");
                call.error(405, JsonRpc.INVALID_REQUEST, "this server sends nothing unasked: POST messages, DELETE sessions");
            }
        }
    }

    private Caller caller(HttpCall call) {
        String header = call.header("Authorization").orElse("");
        if (!header.regionMatches(true, 0, "Bearer ", 0, 7)) {
            throw Failure.Code.UNAUTHORIZED.with("no key was given", "send the header Authorization: Bearer KEY; make a key with `caisson key create`");
        }
        return keys.caller(header.substring(7).strip()).orElseThrow(() ->
                Failure.Code.UNAUTHORIZED.with("this key is not valid here: it is mistyped, revoked, or of another installation", "make one with `caisson key create`"));
    }

    private void refuse(HttpCall call, Exception e) {
        switch (e) {
            case RefusedException refused -> call.error(refused.status(), refused.code(), String.valueOf(refused.getMessage()));
            case SandboxException known when known.code() == Failure.Code.UNAUTHORIZED -> {
                call.responseHeader(HttpHeader.WWW_AUTHENTICATE, "Bearer realm=\"caisson\"");
                call.error(401, JsonRpc.INVALID_REQUEST, known.failure().message() + " (" + known.failure().remedy() + ")");
            }
            case SandboxException known when known.failure().code().category() != Failure.Category.BUG ->
                    call.error(503, JsonRpc.INTERNAL_ERROR, known.failure().message() + " (" + known.failure().remedy() + ")");
            default -> call.error(500, JsonRpc.INTERNAL_ERROR, fault(e));
        }
    }

    /// Logs a fault of ours and answers what to say of it.
    private String fault(Throwable e) {
        long number = faults.incrementAndGet();
        if (number <= MAX_FAULTS_LOGGED) {
            LOG.log(System.Logger.Level.WARNING, "sandbox=- door=mcp fault=m" + number, e);
        }
        return "something went wrong in Caisson itself (fault m" + number + "); look for it in the front's log and report it";
    }

    private McpEndpoint endpoint() {
        McpEndpoint open = endpoint;
        if (open != null) {
            return open;
        }
        opening.lock();
        try {
            open = endpoint;
            if (open == null) {
                open = McpEndpoint.open(Tools.all(new Tenants(sandboxes), tiers, quota, ways, links), this::fault);
                endpoint = open;
            }
            return open;
        } finally {
            opening.unlock();
        }
    }

    @Override
    protected void doStop() throws Exception {
        McpEndpoint open = endpoint;
        if (open != null) {
            open.close();
        }
        super.doStop();
    }

    /// For tests: true once the SDK has been loaded.
    boolean isLoaded() {
        return endpoint != null;
    }
}
