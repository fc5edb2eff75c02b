package dev.caisson.api.mcp;

/// Error codes of JSON-RPC 2.0, written here so that a refusal needs nothing of the SDK.
final class JsonRpc {
    static final int PARSE_ERROR = -32_700;
    static final int INVALID_REQUEST = -32_600;
    static final int INTERNAL_ERROR = -32_603;
    /// The range that is left to servers.
    static final int TOO_MANY = -32_000;

    private JsonRpc() {}
}
