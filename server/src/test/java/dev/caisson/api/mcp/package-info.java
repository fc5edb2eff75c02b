/// The MCP door as its clients see it.
@NullMarked
package dev.caisson.api.mcp;

import org.jspecify.annotations.NullMarked;
