package dev.caisson.api.e2b;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The parameters of a part's `Content-Disposition`, with file names as clients write them: slashes kept, quotes as `%22` or behind a backslash.
final class ContentDisposition {
    private static final Pattern PARAMETER = Pattern.compile(";\\s*([A-Za-z0-9*_-]+)\\s*=\\s*(?:\"((?:[^\"\\\\]|\\\\.)*)\"|([^;\\s]*))");

    private ContentDisposition() {}

    static Map<String, String> parse(String header) {
        var found = new HashMap<String, String>();
        Matcher match = PARAMETER.matcher(header);
        while (match.find()) {
            String name = match.group(1).toLowerCase(Locale.ROOT);
            String value = match.group(2) != null ? match.group(2).replaceAll("\\\\([\"\\\\])", "$1") : match.group(3);
            if (name.equals("filename*")) {
                found.put("filename", extended(value));
            } else {
                found.putIfAbsent(name, unescaped(value));
            }
        }
        return found;
    }

    /// What browsers' forms escape, and nothing more: a percent sign of the name's own stays.
    private static String unescaped(String value) {
        return value.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n");
    }

    /// RFC 5987: `UTF-8''percent%20encoded`.
    private static String extended(String value) {
        int second = value.indexOf('\'', value.indexOf('\'') + 1);
        if (second < 0 || !value.regionMatches(true, 0, "utf-8'", 0, 6)) {
            throw new Refusal(400, "the name of a file is encoded in a way that is not known");
        }
        try {
            return URLDecoder.decode(value.substring(second + 1).replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException _) {
            throw new Refusal(400, "the name of a file is not encoded as its form says");
        }
    }
}
