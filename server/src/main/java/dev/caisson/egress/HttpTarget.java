package dev.caisson.egress;

import java.util.Locale;

/// What a request is for, in the one form in which it is judged and sent.
///
/// @param path up to the query, as sent; `*` of OPTIONS
/// @param query with its question mark; empty when there is none
record HttpTarget(String path, String query) {
    /// @param strict the path is compared with rules: what servers may take for another path is refused
    static HttpTarget of(RequestHead head, Destination to, boolean strict) throws BadHttp {
        String method = head.method();
        if (method.equals("CONNECT")) {
            throw new BadHttp(405, "CONNECT leads elsewhere");
        }
        if (method.equals("TRACE")) {
            throw new BadHttp(405, "TRACE shows what is added on the way");
        }
        named(head.fields(), to);
        String target = origin(head.target(), to);
        if (target.equals("*")) {
            if (!method.equals("OPTIONS")) {
                throw new BadHttp(400, "a target * of another method than OPTIONS");
            }
            return new HttpTarget("*", "");
        }
        int mark = target.indexOf('?');
        var parsed = mark < 0 ? new HttpTarget(target, "") : new HttpTarget(target.substring(0, mark), target.substring(mark));
        if (strict) {
            parsed.refuseDoubtful();
        }
        return parsed;
    }

    private static void named(HeadFields fields, Destination to) throws BadHttp {
        var hosts = fields.values("host");
        if (hosts.size() != 1) {
            throw new BadHttp(400, hosts.isEmpty() ? "a request without Host" : "more than one Host");
        }
        if (!to.isNamedBy(hosts.getFirst())) {
            throw new BadHttp(421, "a Host that is not " + to.authority());
        }
    }

    /// Without scheme and authority, which must be the destination's.
    private static String origin(String target, Destination to) throws BadHttp {
        if (target.startsWith("/") || target.equals("*")) {
            return target;
        }
        String scheme = to.tls() ? "https://" : "http://";
        if (!target.toLowerCase(Locale.ROOT).startsWith(scheme)) {
            throw new BadHttp(400, "a target that is neither a path nor a URI of " + scheme);
        }
        String rest = target.substring(scheme.length());
        int end = 0;
        while (end < rest.length() && rest.charAt(end) != '/' && rest.charAt(end) != '?') {
            end++;
        }
        String authority = rest.substring(0, end);
        if (authority.indexOf('@') >= 0) {
            throw new BadHttp(400, "a target with a user in it");
        }
        if (!to.isNamedBy(authority)) {
            throw new BadHttp(421, "a target that is not at " + to.authority());
        }
        return rest.startsWith("/", end) ? rest.substring(end) : "/" + rest.substring(end);
    }

    /// Servers read the same path in many ways; a rule is about what all of them read alike.
    private void refuseDoubtful() throws BadHttp {
        for (int i = 0; i < path.length(); i++) {
            char c = path.charAt(i);
            if (c == '\\' || c == ';') {
                throw doubtful("'" + c + "'");
            }
            if (c == '%') {
                refuseDoubtfulEscape(i);
            }
        }
        String[] segments = path.substring(1).split("/", -1);
        for (int i = 0; i < segments.length; i++) {
            if (segments[i].equals(".") || segments[i].equals("..")) {
                throw doubtful("a dot segment");
            }
            if (segments[i].isEmpty() && i < segments.length - 1) {
                throw doubtful("an empty segment");
            }
        }
    }

    private void refuseDoubtfulEscape(int at) throws BadHttp {
        if (at + 2 >= path.length() || !isHex(path.charAt(at + 1)) || !isHex(path.charAt(at + 2))) {
            throw doubtful("a % without two hexadecimal digits");
        }
        int decoded = Integer.parseInt(path, at + 1, at + 3, 16);
        boolean plain = decoded >= 'a' && decoded <= 'z' || decoded >= 'A' && decoded <= 'Z' || decoded >= '0' && decoded <= '9' || "-._~".indexOf(decoded) >= 0;
        if (plain || decoded < ' ' || decoded == 0x7f || "/\\;%?#".indexOf(decoded) >= 0) {
            throw doubtful("an escaped " + (plain ? "'" + (char) decoded + "'" : String.format(Locale.ROOT, "byte %02x", decoded)));
        }
    }

    private static boolean isHex(char c) {
        return Character.digit(c, 16) >= 0 && c < 0x80;
    }

    private static BadHttp doubtful(String what) {
        return new BadHttp(403, "a path with " + what + ", where rules are about paths");
    }

    @Override
    public String toString() {
        return path + query;
    }
}
