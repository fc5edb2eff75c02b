package dev.caisson.egress;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/// Reads heads strictly by RFC 9112, without any of the leniency that it allows: what two parsers could read in two ways is refused.
final class HeadReader {
    /// Longest first line. Unit: bytes.
    static final int MAX_FIRST_LINE = 8 * 1024;
    /// Longest head, its first line not counted. Unit: bytes.
    static final int MAX_HEAD = 64 * 1024;
    static final int MAX_FIELDS = 200;
    private static final int MAX_TRAILERS = 8 * 1024;
    private static final Pattern METHOD = Pattern.compile("[A-Z][A-Z-]{0,31}");
    /// No fragment: it has no place in a request.
    private static final Pattern TARGET = Pattern.compile("[\\x21-\\x22\\x24-\\x7e]+");
    private static final Pattern STATUS_LINE = Pattern.compile("HTTP/1\\.([01]) ([1-9][0-9][0-9])(?: ([\\t\\x20-\\x7e\\x80-\\xff]*))?");

    private HeadReader() {}

    static RequestHead request(HttpInput in) throws IOException {
        String line = in.line(MAX_FIRST_LINE, 414);
        int first = line.indexOf(' ');
        int second = line.indexOf(' ', first + 1);
        if (first < 0 || second < 0) {
            throw new BadHttp(400, "not a request line");
        }
        String method = line.substring(0, first);
        String target = line.substring(first + 1, second);
        String version = line.substring(second + 1);
        if (!version.equals("HTTP/1.1") && !version.equals("HTTP/1.0")) {
            throw new BadHttp(version.matches("HTTP/[0-9](\\.[0-9])?") ? 505 : 400, "not HTTP/1.1 or HTTP/1.0");
        }
        if (!METHOD.matcher(method).matches()) {
            throw new BadHttp(400, "a method that is not in capitals");
        }
        if (!TARGET.matcher(target).matches()) {
            throw new BadHttp(400, "a target with characters that a target cannot have");
        }
        return new RequestHead(method, target, version.charAt(version.length() - 1) - '0', fields(in, MAX_HEAD));
    }

    static ResponseHead response(HttpInput in) throws IOException {
        var line = STATUS_LINE.matcher(in.line(MAX_FIRST_LINE, 502));
        if (!line.matches()) {
            throw new BadHttp(502, "not a status line");
        }
        String reason = line.group(3);
        return new ResponseHead(Integer.parseInt(line.group(1)), Integer.parseInt(line.group(2)), reason == null ? "" : reason, fields(in, MAX_HEAD));
    }

    /// What may follow the last chunk; it is read and forgotten.
    static void trailers(HttpInput in) throws IOException {
        fields(in, MAX_TRAILERS);
    }

    private static HeadFields fields(HttpInput in, int most) throws IOException {
        var found = new ArrayList<HeadFields.Field>();
        int left = most;
        for (String line = in.line(left, 431); !line.isEmpty(); line = in.line(left, 431)) {
            left = Math.max(0, left - line.length() - 2);
            if (found.size() == MAX_FIELDS) {
                throw new BadHttp(431, "more than " + MAX_FIELDS + " header fields");
            }
            found.add(field(line));
        }
        return new HeadFields(List.copyOf(found));
    }

    private static HeadFields.Field field(String line) throws BadHttp {
        if (line.charAt(0) == ' ' || line.charAt(0) == '\t') {
            throw new BadHttp(400, "a header field that is folded into a second line");
        }
        int colon = line.indexOf(':');
        if (colon < 1) {
            throw new BadHttp(400, "a header field without a name");
        }
        String name = line.substring(0, colon);
        for (int i = 0; i < colon; i++) {
            if (!isToken(name.charAt(i))) {
                throw new BadHttp(400, "a header field's name with characters that a name cannot have");
            }
        }
        if (HeadFields.isMasked(name)) {
            throw new BadHttp(400, "a header field that reads like one of the connection's");
        }
        int from = colon + 1;
        int to = line.length();
        while (from < to && isBlank(line.charAt(from))) {
            from++;
        }
        while (to > from && isBlank(line.charAt(to - 1))) {
            to--;
        }
        for (int i = from; i < to; i++) {
            char c = line.charAt(i);
            if (c < ' ' && c != '\t' || c == 0x7f) {
                throw new BadHttp(400, "a control character in a header field");
            }
        }
        return new HeadFields.Field(name, line.substring(from, to));
    }

    private static boolean isBlank(char c) {
        return c == ' ' || c == '\t';
    }

    private static boolean isToken(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || "!#$%&'*+-.^_`|~".indexOf(c) >= 0;
    }
}
