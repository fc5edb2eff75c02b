package dev.caisson.api;

import dev.caisson.sandbox.SandboxId;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/// Carries a request to a server inside a sandbox and its answer back, upgrades included.
///
/// Threads: safe for many.
public interface PortForwarder {
    /// The port of the E2B door's own services. Whatever a guest listens with there, nothing is forwarded to it.
    int RESERVED_PORT = 49_983;

    /// Answers the request, in every case: with what the sandbox says, or with why it could not be asked. Checks first that the request may reach the
    /// sandbox's ports: its traffic token, or a sandbox whose creator made them public. May wait for as long as the exchange goes on.
    ///
    /// @param port 1 to 65535
    void forward(Request request, Response response, Callback callback, SandboxId sandbox, int port);
}
