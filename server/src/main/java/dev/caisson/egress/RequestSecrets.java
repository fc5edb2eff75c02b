package dev.caisson.egress;

import dev.caisson.egress.SandboxSecrets.Opened;
import dev.caisson.sandbox.SecretBinding.Place;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/// The secrets of one request and its answer: puts values where placeholders are and may be replaced, and placeholders where the answer says a value.
///
/// The second is a bolt for servers that show what they are sent: a value that comes back as it went, or escaped as in a URI or in JSON, is replaced in headers and in text
/// that is not compressed. A server that transforms it in another way is trusted not to, which is what binding a secret to it means.
///
/// Threads: one sends, one receives.
final class RequestSecrets {
    private static final String BEGINNING = "csn-";
    /// Longest that all replaced texts of one head may become. Unit: bytes.
    private static final int MAX_HEAD = 128 * 1024;
    /// Shorter ones occur by chance.
    private static final int MIN_HIDDEN = 8;
    private static final String BASIC = "basic ";
    private static final Set<String> TEXT_TYPES = Set.of(
            "application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded", "application/x-ndjson", "application/jsonl", "application/problem+json", "");

    private final SandboxSecrets.ForHost secrets;
    private final RelayOwner owner;
    private final List<Replacer.Pair> sentAs = new ArrayList<>();
    private final Set<String> told = new HashSet<>();
    private int headBytes;

    RequestSecrets(SandboxSecrets.ForHost secrets, RelayOwner owner) {
        this.secrets = secrets;
        this.owner = owner;
    }

    /// A header as it goes out.
    HeadFields.Field outward(HeadFields.Field field) throws BadHttp {
        String where = "header " + field.name();
        if (field.is("authorization") && field.value().toLowerCase(Locale.ROOT).startsWith(BASIC)) {
            String said = field.value().substring(BASIC.length()).strip();
            String pair = decoded(said);
            String replaced = replaced(pair, Place.HEADER, where, value -> value);
            if (!replaced.equals(pair)) {
                String sent = Base64.getEncoder().encodeToString(replaced.getBytes(StandardCharsets.ISO_8859_1));
                sentAs.add(pair("basic", sent, said));
                return new HeadFields.Field(field.name(), "Basic " + sent);
            }
        }
        return new HeadFields.Field(field.name(), replaced(field.value(), Place.HEADER, where, value -> value));
    }

    private static String decoded(String text) {
        try {
            return new String(Base64.getDecoder().decode(text), StandardCharsets.ISO_8859_1);
        } catch (IllegalArgumentException _) {
            return "";
        }
    }

    /// Path and query as they go out.
    String outward(HttpTarget target) throws BadHttp {
        look(target.path(), "path");
        return target.path() + replaced(target.query(), Place.QUERY, "query", RequestSecrets::inUri);
    }

    private void look(String text, String where) {
        for (int at = text.indexOf(BEGINNING); at >= 0; at = text.indexOf(BEGINNING, at + 1)) {
            int from = at;
            secrets.all().stream().filter(each -> text.startsWith(each.binding().placeholder(), from)).findFirst().ifPresent(each -> seen(each, where));
        }
    }

    private String replaced(String text, Place place, String where, UnaryOperator<String> form) throws BadHttp {
        int at = text.indexOf(BEGINNING);
        if (at < 0 || secrets.isEmpty()) {
            return text;
        }
        var result = new StringBuilder();
        int done = 0;
        while (at >= 0) {
            int from = at;
            Optional<Opened> there = secrets.all().stream().filter(each -> text.startsWith(each.binding().placeholder(), from)).findFirst();
            int end = from + BEGINNING.length();
            if (there.isPresent()) {
                Opened secret = there.get();
                end = from + secret.binding().placeholder().length();
                if (secrets.isBound(secret, place)) {
                    result.append(text, done, from).append(form.apply(value(secret, place)));
                    done = end;
                    if (headBytes + result.length() > MAX_HEAD) {
                        throw new BadHttp(431, "a head that is longer than " + MAX_HEAD + " bytes once secrets are in it");
                    }
                } else {
                    seen(secret, where);
                }
            }
            at = text.indexOf(BEGINNING, end);
        }
        headBytes += result.length();
        return result.append(text, done, text.length()).toString();
    }

    private static String value(Opened secret, Place place) throws BadHttp {
        if (place == Place.HEADER && !secret.value().fitsHeader()) {
            throw new BadHttp(403, "the secret " + secret.binding().name() + " has a line break or another control character in it, so it cannot go into a header");
        }
        return secret.text();
    }

    private void seen(Opened secret, String where) {
        if (told.add(secret.binding().name() + " " + where)) {
            owner.placeholderSeen(secret.binding().name(), where);
        }
    }

    /// True when the content may become longer or shorter on the way.
    boolean replacesContent() {
        return secrets.all().stream().anyMatch(each -> secrets.isBound(each, Place.BODY));
    }

    /// What the content goes through; empty when it is not looked at.
    ///
    /// Errors: [BadHttp] when it is encoded, so that placeholders in it cannot be seen, and they should be replaced.
    Optional<Replacer> content(HeadFields fields) throws BadHttp {
        if (secrets.isEmpty()) {
            return Optional.empty();
        }
        boolean encoded = isEncoded(fields);
        if (encoded && replacesContent()) {
            throw new BadHttp(415, "encoded content where secrets are to be put into it");
        }
        if (encoded) {
            return Optional.empty();
        }
        String type = type(fields);
        UnaryOperator<String> form = type.equals("application/x-www-form-urlencoded") ? RequestSecrets::inUri : type.endsWith("json") ? RequestSecrets::inJson : value -> value;
        var pairs = new ArrayList<Replacer.Pair>();
        for (Opened secret : secrets.all()) {
            String placeholder = secret.binding().placeholder();
            pairs.add(pair(secret.binding().name(), placeholder, secrets.isBound(secret, Place.BODY) ? form.apply(secret.text()) : placeholder));
        }
        return Optional.of(new Replacer(pairs, pair -> {
            if (Arrays.equals(pair.from(), pair.to())) {
                secrets.all().stream().filter(each -> each.binding().name().equals(pair.name())).forEach(each -> seen(each, "body"));
            }
        }));
    }

    /// True when answers are looked through, so they should not be compressed.
    boolean hides() {
        return secrets.bound().stream().anyMatch(each -> each.value().bytes().length >= MIN_HIDDEN);
    }

    /// Headers of the answer as they come in.
    List<HeadFields.Field> inward(List<HeadFields.Field> fields) {
        List<Replacer.Pair> hidden = hidden();
        return hidden.isEmpty() ? fields : fields.stream().map(field -> new HeadFields.Field(field.name(), hiding(field.value(), hidden))).toList();
    }

    private static String hiding(String value, List<Replacer.Pair> hidden) {
        String shown = value;
        for (Replacer.Pair pair : hidden) {
            shown = shown.replace(new String(pair.from(), StandardCharsets.ISO_8859_1), new String(pair.to(), StandardCharsets.ISO_8859_1));
        }
        return shown;
    }

    /// What the answer's content goes through; empty when it is not looked at.
    Optional<Replacer> answered(HeadFields fields) {
        String type = type(fields);
        boolean text = type.startsWith("text/") || type.startsWith("message/") || type.endsWith("+json") || type.endsWith("+xml") || TEXT_TYPES.contains(type);
        List<Replacer.Pair> hidden = hidden();
        return !text || isEncoded(fields) || hidden.isEmpty() ? Optional.empty() : Optional.of(new Replacer(hidden, _ -> {}));
    }

    private List<Replacer.Pair> hidden() {
        var pairs = new ArrayList<>(sentAs);
        for (Opened secret : secrets.bound()) {
            if (secret.value().bytes().length >= MIN_HIDDEN) {
                for (String form : new HashSet<>(List.of(secret.text(), inUri(secret.text()), inJson(secret.text())))) {
                    pairs.add(pair(secret.binding().name(), form, secret.binding().placeholder()));
                }
            }
        }
        return pairs;
    }

    private static Replacer.Pair pair(String name, String from, String to) {
        return new Replacer.Pair(name, from.getBytes(StandardCharsets.ISO_8859_1), to.getBytes(StandardCharsets.ISO_8859_1));
    }

    private static boolean isEncoded(HeadFields fields) {
        return fields.values("content-encoding").stream().anyMatch(coding -> !coding.equalsIgnoreCase("identity"));
    }

    private static String type(HeadFields fields) {
        String type = fields.first("content-type").orElse("");
        int parameters = type.indexOf(';');
        return (parameters < 0 ? type : type.substring(0, parameters)).strip().toLowerCase(Locale.ROOT);
    }

    private static String inUri(String value) {
        var escaped = new StringBuilder();
        for (char c : value.toCharArray()) {
            boolean plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || "-._~".indexOf(c) >= 0;
            escaped.append(plain ? String.valueOf(c) : String.format(Locale.ROOT, "%%%02X", (int) c));
        }
        return escaped.toString();
    }

    private static String inJson(String value) {
        var escaped = new StringBuilder();
        for (char c : value.toCharArray()) {
            escaped.append(c == '"' || c == '\\' ? "\\" + c : c < ' ' ? String.format(Locale.ROOT, "\\u%04x", (int) c) : String.valueOf(c));
        }
        return escaped.toString();
    }
}
