package dev.caisson.app;

import dev.caisson.api.e2b.E2bSettings;
import dev.caisson.egress.SealKey;
import dev.caisson.policy.WallSettings;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Tier;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// How a front was told to run.
///
/// @param home the installation's directory
/// @param listen address and port; 127.0.0.1 unless another is named; port 0 takes a free one
/// @param localKeySha256 hash of the key that the command line of this machine uses, 32 bytes
/// @param e2b how its door behaves; the domain comes of `preview`
/// @param mcpOrigins of web pages that may speak MCP to it, such as `https://chat.example.org`; usually none
/// @param tied ends when its standard input does
/// @param preview empty: ports are reached by header only
/// @param egressOpen the operator lets sandboxes out to the whole internet that ask for it
/// @param egressPolicy the operator's file of what sandboxes may reach at most; empty: whatever they ask for
/// @param walls what the operator has said of tiers
record FrontSettings(
        Path home, InetSocketAddress listen, Optional<byte[]> localKeySha256, E2bSettings e2b, List<String> mcpOrigins, boolean tied, Optional<PreviewSettings> preview, boolean egressOpen,
        Optional<Path> egressPolicy, WallSettings walls) {
    static final List<String> KNOWN = Stream.concat(
            Stream.of("--home", "--listen", "--local-key-sha256", "--mcp-origins", "--e2b-internet", "--e2b-ports", "--domain", "--egress-open", "--egress-policy", "--tenant-floor", "--accept-emulated"),
            PreviewSettings.OPTIONS.stream()).toList();
    static final Path DEFAULT_HOME = Path.of("/var/lib/caisson");
    static final InetSocketAddress DEFAULT_LISTEN = new InetSocketAddress("127.0.0.1", 7070);

    static FrontSettings parse(List<String> arguments) {
        Path home = DEFAULT_HOME;
        InetSocketAddress listen = DEFAULT_LISTEN;
        Optional<byte[]> local = Optional.empty();
        List<String> mcpOrigins = List.of();
        var e2b = E2bSettings.DEFAULT;
        boolean tied = false;
        boolean egressOpen = false;
        Optional<Path> egressPolicy = Optional.empty();
        var walls = WallSettings.DEFAULT;
        var preview = new HashMap<String, String>();
        var rest = arguments.iterator();
        while (rest.hasNext()) {
            String option = rest.next();
            if (option.equals("--tied")) {
                tied = true;
                continue;
            }
            if (!KNOWN.contains(option)) {
                throw Failure.Code.BAD_REQUEST.with("unknown option '" + Failure.shown(option) + "'", "known: " + String.join(", ", KNOWN) + ", --tied");
            }
            if (!rest.hasNext()) {
                throw Failure.Code.BAD_REQUEST.with("nothing follows " + option, "give its value");
            }
            String value = rest.next();
            switch (option) {
                case "--home" -> home = Path.of(value).toAbsolutePath();
                case "--listen" -> listen = address(value);
                case "--mcp-origins" -> mcpOrigins = origins(value);
                case "--e2b-internet" -> e2b = e2b.with(E2bSettings.Internet.parse(value));
                case "--e2b-ports" -> e2b = e2b.with(E2bSettings.Ports.parse(value));
                case "--local-key-sha256" -> local = Optional.of(sha256(value));
                case "--egress-open" -> egressOpen = consent(option, value);
                case "--egress-policy" -> egressPolicy = Optional.of(Path.of(value).toAbsolutePath());
                case "--tenant-floor" -> walls = walls.withTenantFloor(Tier.parse(value));
                case "--accept-emulated" -> walls = walls.withAcceptsEmulated(consent(option, value));
                default -> preview.put(option, value);
            }
        }
        return new FrontSettings(home, listen, local, e2b, mcpOrigins, tied, PreviewSettings.of(preview, home.resolve("front")), egressOpen, egressPolicy, walls);
    }

    private static boolean consent(String option, String value) {
        return switch (value) {
            case "yes" -> true;
            case "no" -> false;
            default -> throw Failure.Code.BAD_REQUEST.with(option + " cannot be '" + Failure.shown(value) + "'", "say yes or no");
        };
    }

    /// The key that secrets are sealed with; the gateway, which alone can open them, puts it there.
    Path sealKey() {
        return home.resolve("gateway").resolve(SealKey.PUBLIC_FILE);
    }

    Path directory() {
        return home.resolve("front");
    }

    Path keyStore() {
        return directory().resolve("front.db");
    }

    /// What tokens of sandboxes are derived from.
    Path tokenSecret() {
        return directory().resolve("token.secret");
    }

    /// Keys and certificates of previews.
    Path tls() {
        return directory().resolve("tls");
    }

    /// The operator's own lists of rules, one file each.
    Path presets() {
        return home.resolve("egress").resolve("presets");
    }

    Path nodeSocket() {
        return home.resolve("run").resolve("node.sock");
    }

    static InetSocketAddress address(String text) {
        int colon = text.lastIndexOf(':');
        String host = colon < 1 ? "" : text.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        } else if (host.contains(":")) {
            host = "";
        }
        String port = text.substring(colon + 1);
        if (host.isEmpty() || !port.matches("[0-9]{1,5}") || Integer.parseInt(port) > 65_535) {
            throw Failure.Code.BAD_REQUEST.with("not an address to listen on: '" + Failure.shown(text) + "'", "write it like 127.0.0.1:7070 or [::1]:7070");
        }
        return new InetSocketAddress(host, Integer.parseInt(port));
    }

    private static List<String> origins(String text) {
        List<String> origins = List.of(text.split(",", -1)).stream().map(String::strip).toList();
        for (String origin : origins) {
            if (!origin.matches("https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\\[[0-9a-f:]+\\](:[0-9]{1,5})?")) {
                throw Failure.Code.BAD_REQUEST.with("not the origin of a web page: '" + Failure.shown(origin) + "'", "write it as browsers do, like https://chat.example.org");
            }
        }
        return origins;
    }

    private static byte[] sha256(String hex) {
        if (!hex.matches("[0-9a-f]{64}")) {
            throw Failure.Code.BAD_REQUEST.with("--local-key-sha256 is not a SHA-256", "give 64 lower-case hexadecimal digits");
        }
        return HexFormat.of().parseHex(hex);
    }
}
