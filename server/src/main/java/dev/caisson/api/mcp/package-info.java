/// The MCP door: `/mcp`, the Model Context Protocol over streamable HTTP, for models that use sandboxes as tools.
///
/// Read first: [McpDoor] (who may come in), [McpEndpoint] (messages and sessions, on the official SDK), [Tools] (what a model can do).
/// Each tool is read in two steps: its arguments, all of them and nothing else, and then what it does.
/// Refuses to do: speaking to a model, keeping a sandbox alive, anything that the engine would not do for another door.
@NullMarked
package dev.caisson.api.mcp;

import org.jspecify.annotations.NullMarked;
