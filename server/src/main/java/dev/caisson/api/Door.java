package dev.caisson.api;

import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;

/// One wire dialect at which clients knock.
public interface Door {
    /// True when a request is in this dialect. Asked of every request: looks at its head only.
    boolean takes(Request request);

    /// Answers what [#takes] took.
    Handler handler();
}
