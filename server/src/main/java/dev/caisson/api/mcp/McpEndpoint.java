package dev.caisson.api.mcp;

import dev.caisson.policy.Caller;
import dev.caisson.sandbox.Failure;
import io.modelcontextprotocol.common.McpTransportContext;
import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.json.jackson3.JacksonMcpJsonMapper;
import io.modelcontextprotocol.server.McpAsyncServer;
import io.modelcontextprotocol.server.McpServer;
import io.modelcontextprotocol.spec.McpSchema;
import io.modelcontextprotocol.spec.McpStreamableServerSession;
import io.modelcontextprotocol.spec.McpStreamableServerTransportProvider;
import io.modelcontextprotocol.spec.ProtocolVersions;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.function.Function;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.json.JsonMapper;

/// Streamable HTTP for the SDK's server: takes messages in, gives each request its answer, keeps the sessions.
///
/// The SDK's own servlet would do all but what is needed most here: a cancelled request ends what it started, sessions are bounded and belong to a key,
/// and requests are bounded in size and number.
/// Threads: each request's own (virtual) thread does its whole work.
final class McpEndpoint implements McpStreamableServerTransportProvider {
    /// Largest message. Unit: bytes.
    static final int MAX_MESSAGE = 6 * 1024 * 1024;
    /// Messages that are read or worked on at a time.
    private static final int MAX_MESSAGES = 128;
    private static final int MAX_DEPTH = 32;
    private static final String SESSION = "Mcp-Session-Id";
    private static final String CANCELLED = "notifications/cancelled";
    /// The SDK logs what clients send. A strong reference, or the level is forgotten.
    private static final Logger SDK = Logger.getLogger("io.modelcontextprotocol");

    private final McpJsonMapper mapper;
    private final Function<Throwable, String> fault;
    private final McpSessions sessions = new McpSessions();
    private final Semaphore messages = new Semaphore(MAX_MESSAGES);
    private McpStreamableServerSession.@Nullable Factory factory;
    private @Nullable McpAsyncServer server;

    private McpEndpoint(McpJsonMapper mapper, Function<Throwable, String> fault) {
        this.mapper = mapper;
        this.fault = fault;
    }

    /// @param fault logs a fault of ours and answers what to say of it
    static McpEndpoint open(List<Tool> tools, Function<Throwable, String> fault) {
        SDK.setLevel(Level.OFF);
        var mapper = mapper();
        var endpoint = new McpEndpoint(mapper, fault);
        endpoint.server = McpServer.async(endpoint)
                .serverInfo("caisson", Tools.VERSION)
                .instructions(Tools.INSTRUCTIONS)
                .capabilities(McpSchema.ServerCapabilities.builder().tools(false).build())
                .jsonMapper(mapper)
                .jsonSchemaValidator((_, _) -> io.modelcontextprotocol.json.schema.JsonSchemaValidator.ValidationResponse.asValid(null))
                // Our own reader does it, and says what to do instead.
                .validateToolInputs(false)
                .tools(new ToolCalls(mapper, fault).specifications(tools))
                .build();
        return endpoint;
    }

    private static McpJsonMapper mapper() {
        var limits = StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).maxNumberLength(40).maxNameLength(64 * 1024).maxStringLength(MAX_MESSAGE).build();
        var factory = JsonFactory.builder().streamReadConstraints(limits).enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();
        return new JacksonMcpJsonMapper(JsonMapper.builder(factory).build());
    }

    @Override
    public List<String> protocolVersions() {
        return List.of(ProtocolVersions.MCP_2025_03_26, ProtocolVersions.MCP_2025_06_18, ProtocolVersions.MCP_2025_11_25);
    }

    @Override
    public void setSessionFactory(McpStreamableServerSession.Factory factory) {
        this.factory = factory;
    }

    /// Nobody listens for what is not an answer.
    @Override
    public Mono<Void> notifyClients(String method, Object params) {
        return Mono.empty();
    }

    @Override
    public Mono<Void> closeGracefully() {
        return Mono.fromRunnable(sessions::closeAll);
    }

    @Override
    public void close() {
        sessions.closeAll();
    }

    /// Takes one message.
    void post(HttpCall call, Caller caller) throws IOException {
        if (!call.accepts(HttpCall.JSON) || !call.accepts(HttpCall.EVENTS)) {
            throw new RefusedException(406, JsonRpc.INVALID_REQUEST, "answers are application/json or text/event-stream: name both in Accept");
        }
        String version = call.header("Mcp-Protocol-Version").orElse(ProtocolVersions.MCP_2025_03_26);
        if (!protocolVersions().contains(version)) {
            throw new RefusedException(400, JsonRpc.INVALID_REQUEST, "the protocol versions spoken here are " + String.join(", ", protocolVersions()));
        }
        if (!messages.tryAcquire()) {
            throw new RefusedException(503, JsonRpc.TOO_MANY, "there are " + MAX_MESSAGES + " messages being worked on; try again in a moment");
        }
        try {
            switch (message(call.body(MAX_MESSAGE))) {
                case McpSchema.JSONRPCRequest request when request.method().equals(McpSchema.METHOD_INITIALIZE) -> initialize(call, caller, request);
                case McpSchema.JSONRPCRequest request -> answer(call, session(call, caller), request);
                case McpSchema.JSONRPCNotification notification -> {
                    take(session(call, caller), notification);
                    call.accepted();
                }
                // We ask clients nothing.
                default -> throw new RefusedException(400, JsonRpc.INVALID_REQUEST, "nothing was asked that this could be the answer to");
            }
        } finally {
            messages.release();
        }
    }

    private McpSchema.JSONRPCMessage message(byte[] body) {
        String text = new String(body, StandardCharsets.UTF_8).strip();
        try {
            // The SDK takes any value for an object.
            if (!text.startsWith("{")) {
                throw new IllegalArgumentException("not an object");
            }
            McpSchema.JSONRPCMessage message = McpSchema.deserializeJsonRpcMessage(mapper, text);
            boolean named = switch (message) {
                case McpSchema.JSONRPCRequest request -> request.method() != null && (request.id() instanceof String || request.id() instanceof Number);
                case McpSchema.JSONRPCNotification notification -> notification.method() != null;
                default -> true;
            };
            if (named && "2.0".equals(message.jsonrpc())) {
                return message;
            }
        } catch (IOException | IllegalArgumentException | JacksonException _) {
            // Said below, without what the parser says of its own classes.
        }
        throw new RefusedException(400, JsonRpc.PARSE_ERROR, "not a message of JSON-RPC 2.0; batches are not taken");
    }

    private void initialize(HttpCall call, Caller caller, McpSchema.JSONRPCRequest request) throws IOException {
        McpSchema.InitializeRequest wanted;
        try {
            wanted = mapper.convertValue(request.params(), McpSchema.InitializeRequest.class);
        } catch (IllegalArgumentException | JacksonException _) {
            throw new RefusedException(400, JsonRpc.INVALID_REQUEST, "the parameters of initialize cannot be read");
        }
        if (factory == null || wanted == null) {
            throw new RefusedException(400, JsonRpc.INVALID_REQUEST, "initialize needs parameters");
        }
        var started = factory.startSession(wanted);
        var session = new McpSession(started.session(), caller);
        var result = started.initResult().block();
        if (result == null) {
            throw new IllegalStateException("the SDK gave no result of initialize");
        }
        sessions.add(session);
        call.response().getHeaders().put(SESSION, session.id());
        call.json(mapper.writeValueAsBytes(McpSchema.JSONRPCResponse.result(request.id(), result)));
    }

    private McpSession session(HttpCall call, Caller caller) {
        String id = call.header(SESSION).orElseThrow(() -> new RefusedException(400, JsonRpc.INVALID_REQUEST, "no Mcp-Session-Id: initialize first"));
        return sessions.find(id, caller).orElseThrow(() -> new RefusedException(404, JsonRpc.INVALID_REQUEST, "there is no such session, or it was idle for too long; initialize again"));
    }

    private void answer(HttpCall call, McpSession session, McpSchema.JSONRPCRequest request) {
        RunningCall running = session.begin(request.id());
        var answer = new CallAnswer(call, mapper, running);
        try {
            var context = McpTransportContext.create(Map.of(RunningCall.KEY, running));
            session.session().responseStream(answer).handle(request).contextWrite(with -> with.put(McpTransportContext.KEY, context)).block();
        } catch (IllegalArgumentException | JacksonException _) {
            answer.fail(request.id(), McpSchema.ErrorCodes.INVALID_PARAMS, "the parameters of " + Failure.shown(request.method()) + " cannot be read");
        } catch (RuntimeException e) {
            answer.fail(request.id(), McpSchema.ErrorCodes.INTERNAL_ERROR, fault.apply(e));
        } finally {
            session.end(request.id(), running);
            answer.end();
        }
    }

    private static void take(McpSession session, McpSchema.JSONRPCNotification notification) {
        if (notification.method().equals(CANCELLED) && notification.params() instanceof Map<?, ?> params && params.get("requestId") instanceof Object id) {
            session.cancel(id);
        }
        // The SDK has nothing to do for any other.
    }

    /// Ends a session and what it has open.
    void delete(HttpCall call, Caller caller) {
        sessions.remove(session(call, caller));
        call.response().setStatus(204);
        call.callback().succeeded();
    }
}
