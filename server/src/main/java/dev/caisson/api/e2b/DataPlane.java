package dev.caisson.api.e2b;

import dev.caisson.api.PortForwarder;
import dev.caisson.json.Json;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.policy.SandboxTokens.Purpose;
import dev.caisson.policy.Waking;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.Sandboxes;
import java.time.InstantSource;
import java.util.Optional;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;

/// The server of processes and files that clients expect inside each sandbox; it is here, and the sandbox's agent does the work.
///
/// A request is for one sandbox. One that is not there, or paused, is answered as clients know it from the proxy before theirs; then its token is asked for.
final class DataPlane {
    private static final String METHODS = "HEAD, GET, POST, PUT, PATCH, DELETE";

    private final Sandboxes sandboxes;
    private final SandboxTokens tokens;
    private final Waking waking;
    private final Optional<PortForwarder> forwarder;
    private final E2bSettings settings;
    private final Faults faults;
    private final Rpc rpc;
    private final FilesEndpoint files;
    private final GuestFacts facts;

    DataPlane(Sandboxes sandboxes, SandboxTokens tokens, Optional<PortForwarder> forwarder, InstantSource clock, E2bSettings settings, Faults faults) {
        this.sandboxes = sandboxes;
        this.tokens = tokens;
        this.waking = new Waking(sandboxes);
        this.forwarder = forwarder;
        this.settings = settings;
        this.faults = faults;
        this.rpc = new Rpc(new ProcessService(sandboxes), new FilesystemService(sandboxes), faults);
        this.files = new FilesEndpoint(sandboxes, tokens, clock);
        this.facts = new GuestFacts(sandboxes, clock);
    }

    void answer(Call call) {
        Target.Named named = Target.named(call.request());
        if (named == Target.Named.BY_PREFLIGHT || named == Target.Named.BY_SIGNATURE) {
            allowBrowsers(call);
        }
        if (named == Target.Named.BY_PREFLIGHT) {
            call.empty(204);
            return;
        }
        Target target;
        try {
            target = named == Target.Named.BY_SIGNATURE ? signed(call) : Target.of(call.request());
        } catch (Refusal | SandboxException e) {
            call.refuse(faults.refusal(e));
            return;
        }
        try {
            if (target.port() != Target.CONTROL_PORT) {
                forward(call, target);
                return;
            }
            allowBrowsers(call);
            if (call.request().getMethod().equals("OPTIONS")) {
                call.empty(204);
                return;
            }
            Optional<SandboxInfo> sandbox = target.sandbox().flatMap(this::running).or(() -> woken(call, target));
            if (sandbox.isEmpty()) {
                refuseGone(call, target);
                return;
            }
            answer(new Session(call, sandbox.get(), settings.keepalive()));
        } catch (Exception e) {
            failed(call, target, e);
        }
    }

    private void forward(Call call, Target target) {
        // Who may wake it is the forwarder's to judge.
        Optional<SandboxInfo> sandbox = target.sandbox().flatMap(this::found).filter(info -> info.state() == SandboxState.RUNNING || info.state() == SandboxState.PAUSED && Waking.isWanted(info.spec()));
        if (sandbox.isEmpty()) {
            refuseGone(call, target);
        } else if (forwarder.isEmpty()) {
            refuseClosed(call, target);
        } else {
            forwarder.get().forward(call.request(), call.response(), call.callback(), sandbox.get().id(), target.port());
        }
    }

    private Optional<SandboxInfo> running(SandboxId id) {
        return found(id).filter(info -> info.state() == SandboxState.RUNNING);
    }

    private Optional<SandboxInfo> found(SandboxId id) {
        try {
            return Optional.of(sandboxes.get(id));
        } catch (SandboxException e) {
            if (e.code() == Failure.Code.SANDBOX_NOT_FOUND) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /// The sandbox whose token made a link's signature. Every living one is tried: some microseconds each.
    private Target signed(Call call) {
        var query = call.query();
        for (SandboxInfo info : sandboxes.list()) {
            if (files.isSigned(query, call.request().getMethod(), info.id())) {
                return new Target(info.id().value(), Target.CONTROL_PORT);
            }
        }
        throw new Refusal(401, "invalid signature");
    }

    /// A paused sandbox that was made to be woken by requests, if this one has the right to.
    private Optional<SandboxInfo> woken(Call call, Target target) {
        Optional<SandboxId> id = target.sandbox().filter(one -> tokens.matches(call.header("X-Access-Token"), one, Purpose.CONTROL));
        if (id.isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(waking.wake(id.get())).filter(info -> info.state() == SandboxState.RUNNING);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Refusal(503, "this server is stopping");
        }
    }

    private void answer(Session session) throws Exception {
        String path = Request.getPathInContext(session.http().request());
        switch (path) {
            case "/health" -> session.http().empty(204);
            case "/files" -> files.answer(session);
            case "/files/compose" -> {
                authorize(session);
                files.compose(session);
            }
            case "/metrics" -> {
                authorize(session);
                facts.metrics(session);
            }
            case "/envs" -> {
                authorize(session);
                facts.environment(session);
            }
            default -> {
                if (!rpc.knows(path)) {
                    throw new Refusal(404, "there is no such path");
                }
                authorize(session);
                rpc.answer(session, path);
            }
        }
    }

    private void authorize(Session session) {
        if (!tokens.matches(session.http().header("X-Access-Token"), session.id(), Purpose.CONTROL)) {
            throw new Refusal(401, "no valid access token of this sandbox was given: send it in the header X-Access-Token");
        }
    }

    /// Any page may call: what it needs is a token, and that no browser sends by itself.
    private static void allowBrowsers(Call call) {
        call.put(HttpHeader.ACCESS_CONTROL_ALLOW_ORIGIN.asString(), "*");
        if (call.request().getMethod().equals("OPTIONS")) {
            String wanted = call.header(HttpHeader.ACCESS_CONTROL_REQUEST_HEADERS.asString());
            call.put(HttpHeader.ACCESS_CONTROL_ALLOW_METHODS.asString(), METHODS);
            call.put(HttpHeader.ACCESS_CONTROL_ALLOW_HEADERS.asString(), wanted.isEmpty() ? "*" : wanted);
            call.put(HttpHeader.ACCESS_CONTROL_MAX_AGE.asString(), "7200");
        } else {
            call.put(HttpHeader.ACCESS_CONTROL_EXPOSE_HEADERS.asString(), "*");
        }
    }

    private void failed(Call call, Target target, Exception e) {
        if (call.response().isCommitted()) {
            call.callback().failed(e);
        } else if (e instanceof SandboxException gone && isGone(gone, target)) {
            refuseGone(call, target);
        } else {
            call.refuse(faults.refusal(e));
        }
    }

    /// Whether a failure comes of the sandbox having ended, or having been paused, in this moment.
    private boolean isGone(SandboxException e, Target target) {
        return switch (e.code()) {
            case SANDBOX_NOT_FOUND -> true;
            case GUEST_FAILED, WRONG_STATE -> target.sandbox().flatMap(this::running).isEmpty();
            default -> false;
        };
    }

    private static void refuseGone(Call call, Target target) {
        call.refuse(502, Json.object(out -> {
            out.writeStringProperty("sandboxId", Failure.shown(target.id()));
            out.writeStringProperty("message", "The sandbox was not found");
            out.writeNumberProperty("code", 502);
        }), false);
    }

    private static void refuseClosed(Call call, Target target) {
        call.refuse(502, Json.object(out -> {
            out.writeStringProperty("sandboxId", Failure.shown(target.id()));
            out.writeStringProperty("message", "The sandbox is running but port is not open");
            out.writeNumberProperty("code", 502);
            out.writeNumberProperty("port", target.port());
        }), false);
    }
}
