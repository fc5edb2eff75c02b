package dev.caisson.api.mcp;

import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.server.McpAsyncServerExchange;
import io.modelcontextprotocol.server.McpServerFeatures.AsyncToolSpecification;
import io.modelcontextprotocol.spec.McpSchema;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/// Hands our tools to the SDK: arguments in, results and failures out.
///
/// Whatever goes wrong in a tool is a result that says so, because a model reads results and can try again; only what is not a call of a tool at all is an
/// error of the protocol.
final class ToolCalls {
    private final McpJsonMapper mapper;
    private final Function<Throwable, String> fault;

    ToolCalls(McpJsonMapper mapper, Function<Throwable, String> fault) {
        this.mapper = mapper;
        this.fault = fault;
    }

    List<AsyncToolSpecification> specifications(List<Tool> tools) {
        return tools.stream().map(tool -> AsyncToolSpecification.builder().tool(described(tool)).callHandler((exchange, request) -> Mono.fromCallable(() -> call(tool, exchange, request))).build()).toList();
    }

    private static McpSchema.Tool described(Tool tool) {
        var hints = McpSchema.ToolAnnotations.builder()
                .title(tool.title())
                .readOnlyHint(tool.effect() == Tool.Effect.READS)
                .destructiveHint(tool.effect() == Tool.Effect.DESTROYS)
                // No sandbox has a network.
                .openWorldHint(false)
                .build();
        return McpSchema.Tool.builder(tool.name(), tool.input().asMap()).title(tool.title()).description(tool.description()).outputSchema(tool.output().asMap()).annotations(hints).build();
    }

    private McpSchema.CallToolResult call(Tool tool, McpAsyncServerExchange exchange, McpSchema.CallToolRequest request) throws InterruptedException {
        try {
            Tool.Action action = read(tool, request.arguments());
            var result = action.run(new ToolCall(running(exchange), progress(exchange, request)));
            return McpSchema.CallToolResult.builder().addTextContent(result.text()).structuredContent(result.facts()).isError(false).build();
        } catch (SandboxException e) {
            Failure failure = e.failure();
            return failed(failure.code().category() == Failure.Category.BUG ? new Failure(failure.code(), fault.apply(e), "") : failure);
        } catch (RuntimeException | IOException e) {
            return failed(new Failure(Failure.Code.INTERNAL, fault.apply(e), ""));
        }
    }

    /// Every failure of reading is about the arguments, whose description the model has.
    private Tool.Action read(Tool tool, @Nullable Map<String, Object> arguments) throws IOException {
        try {
            JsonObject in = arguments == null ? JsonObject.empty() : JsonObject.parse(mapper.writeValueAsBytes(arguments));
            Tool.Action action = tool.reader().read(in);
            in.end();
            return action;
        } catch (SandboxException e) {
            if (e.code() == Failure.Code.BAD_REQUEST && e.failure().remedy().contains("openapi")) {
                throw e.code().with(e.failure().message(), "see the input schema of " + tool.name(), e);
            }
            throw e;
        }
    }

    private static RunningCall running(McpAsyncServerExchange exchange) {
        if (exchange.transportContext().get(RunningCall.KEY) instanceof RunningCall running) {
            return running;
        }
        throw new IllegalStateException("a call came without its context");
    }

    private static ToolCall.Progress progress(McpAsyncServerExchange exchange, McpSchema.CallToolRequest request) {
        Object token = request.meta() == null ? null : request.meta().get("progressToken");
        return new ToolCall.Progress() {
            @Override
            public void tell(double done, double total, String message) {
                if (token != null) {
                    exchange.progressNotification(McpSchema.ProgressNotification.builder(token, done).total(total).message(message).build()).block();
                }
            }

            @Override
            public boolean isWanted() {
                return token instanceof String || token instanceof Number;
            }
        };
    }

    private static McpSchema.CallToolResult failed(Failure failure) {
        String text = failure.code().label() + ": " + failure.message() + (failure.remedy().isEmpty() ? "" : " (" + failure.remedy() + ")");
        return McpSchema.CallToolResult.builder().addTextContent(text).isError(true).build();
    }
}
