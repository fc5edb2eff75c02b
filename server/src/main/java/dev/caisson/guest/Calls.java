package dev.caisson.guest;

import dev.caisson.guest.wire.Reply;
import dev.caisson.guest.wire.Request;
import dev.caisson.link.Link;
import dev.caisson.link.LinkException;

/// Calls of one request and one reply.
final class Calls {
    private Calls() {}

    static Reply call(Link link, Request.Builder request) throws LinkException, InterruptedException {
        try (var stream = link.open(request.build().toByteArray())) {
            Reply reply = Replies.next(stream, Replies.PATIENCE);
            stream.finish();
            return reply;
        }
    }
}
