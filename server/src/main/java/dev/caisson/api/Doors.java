package dev.caisson.api;

import java.util.List;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/// Leads each request to the first door that takes it, or to the one that answers whatever nobody else does.
public final class Doors extends Handler.Sequence {
    private final List<Door> doors;
    private final Handler otherwise;

    public Doors(List<Door> doors, Handler otherwise) {
        super(handlers(doors, otherwise));
        this.doors = List.copyOf(doors);
        this.otherwise = otherwise;
    }

    @Override
    public boolean handle(Request request, Response response, Callback callback) throws Exception {
        for (Door door : doors) {
            if (door.takes(request)) {
                return door.handler().handle(request, response, callback);
            }
        }
        // Only what goes on into a sandbox may have a path that two programs could read in two ways.
        if (request.getHttpURI().hasViolations()) {
            Response.writeError(request, response, callback, HttpStatus.BAD_REQUEST_400, "Ambiguous URI");
            return true;
        }
        return otherwise.handle(request, response, callback);
    }

    private static List<Handler> handlers(List<Door> doors, Handler otherwise) {
        var handlers = new java.util.ArrayList<>(doors.stream().map(Door::handler).toList());
        handlers.add(otherwise);
        return handlers;
    }
}
