package dev.caisson.api.e2b;

import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.SandboxException;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A protobuf message in its JSON form: names in camelCase or as in the schema, absent means default, unknown ones are passed over.
///
/// Errors: [RpcCode#INVALID_ARGUMENT].
record ProtoObject(JsonObject in) {
    static ProtoObject parse(byte[] document) {
        return reading(() -> new ProtoObject(document.length == 0 ? JsonObject.empty() : JsonObject.parse(document)));
    }

    private interface Reading<T> {
        T read();
    }

    private static <T> T reading(Reading<T> reading) {
        try {
            return reading.read();
        } catch (SandboxException e) {
            throw new RpcException(RpcCode.INVALID_ARGUMENT, e.failure().message());
        }
    }

    /// The spelling that is there.
    private String key(String camelCase) {
        return in.has(camelCase) ? camelCase : camelCase.replaceAll("([A-Z])", "_$1").toLowerCase(java.util.Locale.ROOT);
    }

    String text(String name) {
        return reading(() -> in.text(key(name), ""));
    }

    boolean truth(String name, boolean absent) {
        return reading(() -> in.truth(key(name), absent));
    }

    boolean has(String name) {
        return in.has(key(name));
    }

    /// A `uint32`, which may be written as a text.
    long whole(String name) {
        return reading(() -> {
            String key = key(name);
            if (!in.isText(key)) {
                return in.wholeOr(key, 0, 0xFFFFFFFFL).orElse(0L);
            }
            String digits = in.text(key);
            if (!digits.matches("[0-9]{1,10}")) {
                throw new RpcException(RpcCode.INVALID_ARGUMENT, "'" + name + "' is not a whole number");
            }
            return Long.parseLong(digits);
        });
    }

    /// An enum's constant, by name or number.
    String wordOrNumber(String name) {
        return reading(() -> {
            String key = key(name);
            return in.isText(key) ? in.text(key) : Long.toString(in.wholeOr(key, Integer.MIN_VALUE, Integer.MAX_VALUE).orElse(0L));
        });
    }

    byte[] bytes(String name) {
        String text = text(name);
        try {
            return text.indexOf('-') >= 0 || text.indexOf('_') >= 0 ? Base64.getUrlDecoder().decode(text) : Base64.getDecoder().decode(text);
        } catch (IllegalArgumentException _) {
            throw new RpcException(RpcCode.INVALID_ARGUMENT, "'" + name + "' is not base64");
        }
    }

    List<String> texts(String name) {
        return reading(() -> in.texts(key(name)).orElse(List.of()));
    }

    Map<String, String> map(String name) {
        return reading(() -> in.map(key(name)));
    }

    Optional<ProtoObject> child(String name) {
        return reading(() -> in.child(key(name)).map(ProtoObject::new));
    }

    ProtoObject required(String name) {
        return child(name).orElseThrow(() -> new RpcException(RpcCode.INVALID_ARGUMENT, "'" + name + "' is missing"));
    }
}
