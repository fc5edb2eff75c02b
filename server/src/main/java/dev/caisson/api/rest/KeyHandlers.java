package dev.caisson.api.rest;

import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.ApiKey;
import dev.caisson.policy.KeyStore;
import dev.caisson.policy.NewKey;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxSpec;
import java.io.IOException;
import tools.jackson.core.JsonGenerator;

/// `/v1/keys`.
final class KeyHandlers {
    private final KeyStore keys;

    KeyHandlers(KeyStore keys) {
        this.keys = keys;
    }

    void list(Call call) throws IOException {
        var all = keys.list(call.caller());
        call.largeJson(out -> {
            out.writeArrayPropertyStart("keys");
            for (ApiKey key : all) {
                out.writeStartObject();
                writeKeys(key, out);
                out.writeEndObject();
            }
            out.writeEndArray();
        });
    }

    void create(Call call) throws IOException {
        JsonObject in = call.json();
        String name = in.text("name", "");
        String own = call.caller().seesAll() ? SandboxSpec.DEFAULT_TENANT : call.caller().tenant();
        String tenant = in.text("tenant", own);
        in.end();
        if (!call.caller().seesAll() && !tenant.equals(own)) {
            throw Failure.Code.NOT_PERMITTED.with("this key makes keys of tenant " + own + " only", "make it on the machine itself: caisson key create --tenant " + Failure.shown(tenant));
        }
        NewKey made = keys.create(name, tenant);
        call.header("Cache-Control", "no-store");
        call.json(201, Json.object(out -> {
            writeKeys(made.key(), out);
            out.writeStringProperty("key", made.text().secret());
        }));
    }

    void revoke(Call call) {
        ApiKey revoked = keys.revoke(call.caller(), call.parameter("kid"));
        call.json(200, Json.object(out -> writeKeys(revoked, out)));
    }

    private static void writeKeys(ApiKey key, JsonGenerator out) {
        out.writeStringProperty("id", key.id());
        out.writeStringProperty("name", key.name());
        out.writeStringProperty("tenant", key.tenant());
        out.writeStringProperty("created_at", key.created().toString());
        key.lastUsed().ifPresent(time -> out.writeStringProperty("last_used_at", time.toString()));
        key.revoked().ifPresent(time -> out.writeStringProperty("revoked_at", time.toString()));
    }
}
