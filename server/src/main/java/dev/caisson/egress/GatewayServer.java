package dev.caisson.egress;

import dev.caisson.json.FailureMessage;
import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.link.LinkStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/// Answers the node's calls to a gateway: one stream a call.
///
/// Threads: safe for many.
public final class GatewayServer {
    private static final int MAX_FLOWS = 1_000;
    /// So many fit into one message of the link, whatever they say.
    private static final int BATCH = 64;
    private static final byte[] NOTHING = {'{', '}'};

    private final Gateway gateway;

    public GatewayServer(Gateway gateway) {
        this.gateway = gateway;
    }

    /// Answers one call; a [dev.caisson.link.Link.Acceptor].
    public void accept(LinkStream stream, byte[] opening) throws IOException, InterruptedException {
        try {
            stream.sendLast(answer(JsonObject.parse(opening), stream));
        } catch (SandboxException e) {
            stream.sendLast(FailureMessage.of(e.failure()));
        } catch (IOException e) {
            if (stream.linkIsOver()) {
                throw e;
            }
            stream.sendLast(FailureMessage.of(new Failure(Failure.Code.EGRESS_UNAVAILABLE, "the gateway failed: " + e.getMessage(), "see its log; is the disk full?")));
        } catch (RuntimeException e) {
            System.getLogger(GatewayServer.class.getName()).log(System.Logger.Level.ERROR, "a call failed", e);
            stream.sendLast(FailureMessage.of(new Failure(Failure.Code.INTERNAL, "the gateway failed: " + e, "report this with the gateway's log")));
        }
    }

    private byte[] answer(JsonObject ask, LinkStream stream) throws IOException, InterruptedException {
        return switch (ask.word("call", GatewayCall.class)) {
            case REGISTER -> {
                var registration = RegistrationForm.FORM.readKeys(ask);
                gateway.register(registration);
                var trust = ask.truth("trust", false) ? gateway.trust(registration.sandbox()) : Optional.<TrustSeeds>empty();
                yield Json.object(out -> trust.ifPresent(seeds -> {
                    out.writeName("trust");
                    TrustSeedsForm.FORM.write(seeds, out);
                }));
            }
            case FORGET -> {
                gateway.forget(new SandboxId(ask.text("sandbox")));
                yield NOTHING;
            }
            case KEEP_ONLY -> {
                gateway.keepOnly(ask.texts("sandboxes").orElse(List.of()).stream().map(SandboxId::new).collect(Collectors.toSet()));
                yield NOTHING;
            }
            case FLOWS -> {
                var flows = gateway.flows(new SandboxId(ask.text("sandbox")), ask.whole("after", 0, Long.MAX_VALUE), ask.whole("limit", 1, MAX_FLOWS));
                for (int from = 0; from < flows.size(); from += BATCH) {
                    var batch = flows.subList(from, Math.min(flows.size(), from + BATCH));
                    stream.send(Json.object(out -> Json.writeList(out, "flows", batch, Forms.FLOW)));
                }
                yield NOTHING;
            }
        };
    }
}
