package dev.caisson.api.e2b;

import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;
import org.jspecify.annotations.Nullable;

/// The port of the sandbox that a request of the data plane is for.
///
/// @param id as the client wrote it; need not be that of any sandbox
/// @param port 1 to 65535
record Target(String id, int port) {
    /// Where the server of processes and files answers.
    static final int CONTROL_PORT = 49983;
    private static final String ID_HEADER = "E2b-Sandbox-Id";
    private static final String PORT_HEADER = "E2b-Sandbox-Port";
    /// One spelling a port: no sign, no leading zero.
    private static final Pattern PORT = Pattern.compile("[1-9][0-9]{0,4}");
    private static final Pattern HOST = Pattern.compile("([0-9]+)-(sb[a-z2-7]{18})\\..+");

    /// How a request names its sandbox. A host name counts more than headers: a page served under it can send headers of its own.
    enum Named {
        BY_HOST,
        BY_ANOTHER_PORTS_HOST,
        BY_HEADERS,
        /// A browser's question before a page's call: it only names the headers that would tell the sandbox.
        BY_PREFLIGHT,
        /// A link to a file whose signature alone says to which sandbox it belongs: clients that were given one address for all sandboxes make such links.
        BY_SIGNATURE,
        NOT
    }

    static Named named(Request request) {
        Matcher host = host(request);
        if (host.matches()) {
            return host.group(1).equals(Integer.toString(CONTROL_PORT)) ? Named.BY_HOST : Named.BY_ANOTHER_PORTS_HOST;
        }
        if (request.getHeaders().contains(ID_HEADER) || request.getHeaders().contains(PORT_HEADER)) {
            return Named.BY_HEADERS;
        }
        boolean link = Request.getPathInContext(request).equals("/files");
        if (request.getMethod().equals("OPTIONS") && (link || asksForHeader(request))) {
            return Named.BY_PREFLIGHT;
        }
        return link ? Named.BY_SIGNATURE : Named.NOT;
    }

    private static boolean asksForHeader(Request request) {
        return request.getHeaders().getCSV(HttpHeader.ACCESS_CONTROL_REQUEST_HEADERS, false).stream().anyMatch(ID_HEADER::equalsIgnoreCase);
    }

    private static Matcher host(Request request) {
        @Nullable String name = Request.getServerName(request);
        return HOST.matcher(name == null ? "" : name.toLowerCase(Locale.ROOT));
    }

    static Target of(Request request) {
        Matcher host = host(request);
        if (host.matches()) {
            return new Target(host.group(2), port(host.group(1)));
        }
        return new Target(header(request, ID_HEADER), port(header(request, PORT_HEADER)));
    }

    private static String header(Request request, String name) {
        var values = request.getHeaders().getValuesList(name);
        if (values.size() != 1 || values.getFirst().isBlank()) {
            throw new Refusal(400, values.size() > 1 ? "the header " + name + " is there more than once" : "missing header " + name);
        }
        return values.getFirst().strip();
    }

    private static int port(String text) {
        if (!PORT.matcher(text).matches() || Integer.parseInt(text) > 65_535) {
            throw new Refusal(400, "not a port: a number from 1 to 65535 is wanted, without leading zeros");
        }
        return Integer.parseInt(text);
    }

    /// The sandbox, if it can be the name of one.
    Optional<SandboxId> sandbox() {
        try {
            return Optional.of(new SandboxId(id));
        } catch (SandboxException _) {
            return Optional.empty();
        }
    }
}
