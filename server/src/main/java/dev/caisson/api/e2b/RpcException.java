package dev.caisson.api.e2b;

import dev.caisson.json.Json;
import dev.caisson.sandbox.SandboxException;
import tools.jackson.core.JsonGenerator;

/// A call of the Connect protocol that fails.
final class RpcException extends RuntimeException {
    private static final long serialVersionUID = 1;
    private final RpcCode code;

    RpcException(RpcCode code, String message) {
        super(message);
        this.code = code;
    }

    static RpcException of(SandboxException e) {
        return new RpcException(RpcCode.of(e.code()), e.failure().message());
    }

    RpcCode code() {
        return code;
    }

    /// The body of a unary answer.
    byte[] bytes() {
        return Json.object(this::writeKeys);
    }

    void writeKeys(JsonGenerator out) {
        out.writeStringProperty("code", code.label());
        out.writeStringProperty("message", String.valueOf(getMessage()));
    }
}
