package dev.caisson.api.rest;

import dev.caisson.api.Query;
import dev.caisson.api.RateLimit;
import dev.caisson.policy.Caller;
import dev.caisson.policy.KeyStore;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxSpec;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.jspecify.annotations.Nullable;

/// Takes every request: finds its route, then its caller, lets the route answer, and tells failures as problem documents.
final class RestHandler extends Handler.Abstract {
    private static final System.Logger LOG = System.getLogger(RestHandler.class.getName());
    private static final String UNMATCHED = "none";
    private static final Caller NOBODY = new Caller("nobody", SandboxSpec.DEFAULT_TENANT);

    private final List<Route> routes;
    private final KeyStore keys;
    private final RequestMetrics metrics;
    private final RateLimit logged = new RateLimit(10);
    private final AtomicLong faults = new AtomicLong();

    RestHandler(List<Route> routes, KeyStore keys, RequestMetrics metrics) {
        this.routes = routes;
        this.keys = keys;
        this.metrics = metrics;
    }

    private record Matched(Route route, Map<String, String> parameters) {}

    @Override
    public boolean handle(Request request, Response response, Callback callback) {
        long begin = System.nanoTime();
        String path = Request.getPathInContext(request);
        List<Matched> matches = matches(path);
        Matched match = null;
        for (Matched candidate : matches) {
            if (candidate.route().method().equals(request.getMethod())) {
                match = candidate;
            }
        }
        // Only then is the status known, also of a stream, and counting cannot change what was answered.
        String method = match == null ? UNMATCHED : match.route().method();
        String name = match == null ? UNMATCHED : match.route().path();
        Request.addCompletionListener(request, _ -> metrics.count(method, name, response.getStatus(), System.nanoTime() - begin));

        var plain = new Call(request, response, callback, Map.of(), Query.NONE, NOBODY);
        try {
            if (matches.isEmpty()) {
                plain.problem(Problem.noSuchRoute(request.getMethod(), path), null);
            } else if (match == null) {
                List<String> allowed = matches.stream().map(candidate -> candidate.route().method()).sorted().toList();
                plain.problem(Problem.methodNotAllowed(request.getMethod(), path, allowed), allowed);
            } else {
                Route route = match.route();
                Caller caller = route.open() ? NOBODY : caller(request);
                Query query = Query.parse(request.getHttpURI().getQuery(), route.query());
                route.action().answer(new Call(request, response, callback, match.parameters(), query, caller));
            }
        } catch (Exception e) {
            failed(plain, match == null ? null : match.parameters().get("id"), e);
        }
        return true;
    }

    private List<Matched> matches(String path) {
        String[] segments = path.split("/", -1);
        var found = new ArrayList<Matched>(2);
        for (Route route : routes) {
            route.match(segments).ifPresent(parameters -> found.add(new Matched(route, parameters)));
        }
        return found;
    }

    private Caller caller(Request request) {
        String header = request.getHeaders().get(HttpHeader.AUTHORIZATION);
        if (header == null) {
            throw Failure.Code.UNAUTHORIZED.with("no key was given", "send the header Authorization: Bearer KEY; make a key with `caisson key create`");
        }
        if (!header.regionMatches(true, 0, "Bearer ", 0, 7)) {
            throw Failure.Code.UNAUTHORIZED.with("the key was not given as a bearer token", "send the header Authorization: Bearer KEY");
        }
        return keys.caller(header.substring(7).strip()).orElseThrow(() ->
                Failure.Code.UNAUTHORIZED.with("this key is not valid here: it is mistyped, revoked, or of another installation", "make one with `caisson key create`"));
    }

    private void failed(Call call, @Nullable String sandbox, Exception e) {
        if (call.response().isCommitted()) {
            // Nothing can be said any more; a cut connection is the message.
            call.callback().failed(e);
            return;
        }
        call.problem(problem(sandbox, e), null);
    }

    private Problem problem(@Nullable String sandbox, Exception e) {
        return switch (e) {
            case SandboxException known -> {
                if (known.failure().code().category() == Failure.Category.BUG) {
                    fault(sandbox, e);
                }
                yield Problem.of(known.failure(), sandbox);
            }
            case ProblemException http -> http.problem();
            case IOException broken when broken instanceof InterruptedIOException || broken.getCause() instanceof TimeoutException ->
                    Problem.http(408, "request-timeout", "the body stopped coming", "send it again, without a pause");
            case IOException _ -> Problem.http(400, "bad-request", "the body broke off", "send it again");
            case InterruptedException _ -> Problem.of(new Failure(Failure.Code.NODE_UNREACHABLE, "this front is stopping", "try again in a moment"), sandbox);
            default -> {
                long number = fault(sandbox, e);
                yield Problem.of(new Failure(Failure.Code.INTERNAL, "something went wrong in Caisson itself (fault " + number + ")", "look for fault=" + number + " in the front's log and report it"), sandbox);
            }
        };
    }

    private long fault(@Nullable String sandbox, Exception e) {
        long number = faults.incrementAndGet();
        logged.allow().ifPresent(held -> LOG.log(System.Logger.Level.WARNING, "sandbox=" + (sandbox == null ? "-" : Failure.shown(sandbox)) + " fault=" + number + " held_back=" + held, e));
        return number;
    }
}
