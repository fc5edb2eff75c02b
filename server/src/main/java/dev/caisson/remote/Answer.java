package dev.caisson.remote;

import dev.caisson.json.FailureMessage;
import dev.caisson.json.Form;
import dev.caisson.json.JsonObject;
import dev.caisson.link.Incoming;
import dev.caisson.link.LinkException;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.util.ArrayList;
import java.util.List;

/// Reads the answers to a call.
final class Answer {
    private Answer() {}

    static JsonObject next(LinkStream stream) throws LinkException, InterruptedException {
        if (stream.next() instanceof Incoming.Message(byte[] bytes)) {
            return succeeded(bytes);
        }
        throw new LinkException("the node gave no answer");
    }

    /// A message that is not a failure; a failure is thrown as it was told.
    static JsonObject succeeded(byte[] message) {
        var answer = JsonObject.parse(message);
        FailureMessage.throwIn(answer);
        return answer;
    }

    static <T> T one(LinkStream stream, Form<T> form) throws LinkException, InterruptedException {
        return form.readKeys(next(stream));
    }

    static <T> List<T> many(LinkStream stream, Form<T> form) throws LinkException, InterruptedException {
        var values = new ArrayList<T>();
        for (var answer = next(stream); answer.has("values"); answer = next(stream)) {
            values.addAll(answer.objects("values", form));
        }
        return List.copyOf(values);
    }

    static SandboxException unreachable(String why, Throwable cause) {
        return Failure.Code.NODE_UNREACHABLE.with("the node does not answer: " + why, "it may be restarting: try again, and look at `caisson status`", cause);
    }
}
