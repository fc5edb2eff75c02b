package dev.caisson.client;

import java.util.List;

/// The keys of an installation. Threads: safe for many.
public final class Keys {
    private final Http http;

    Keys(Http http) {
        this.http = http;
    }

    /// A new key and its text, which is shown this once only.
    public record NewKey(KeyInfo info, String key) {
        /// Without the key, which is a secret.
        @Override
        public String toString() {
            return info.toString();
        }
    }

    /// @param name for people; may be empty
    public NewKey create(String name) {
        var json = http.ask("POST", "/v1/keys", Body.json(Json.object().put("name", name).done()));
        return Answers.read(json, () -> new NewKey(KeyInfo.of(json), json.text("key")));
    }

    /// A key of a tenant: it sees that tenant's sandboxes alone.
    ///
    /// @param tenant 1 to 63 of a-z, 0-9 and `-`
    public NewKey create(String name, String tenant) {
        var json = http.ask("POST", "/v1/keys", Body.json(Json.object().put("name", name).put("tenant", tenant).done()));
        return Answers.read(json, () -> new NewKey(KeyInfo.of(json), json.text("key")));
    }

    /// Every key, revoked ones too, oldest first.
    public List<KeyInfo> list() {
        return Answers.list(http.get("/v1/keys"), "keys", KeyInfo::of);
    }

    /// Ends a key, from the next call on.
    public KeyInfo revoke(String id) {
        return KeyInfo.of(http.ask("DELETE", "/v1/keys/" + Http.escape(id), new Body.None()));
    }
}
