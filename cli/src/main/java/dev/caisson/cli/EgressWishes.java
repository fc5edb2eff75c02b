package dev.caisson.cli;

import dev.caisson.client.EgressOptions;
import dev.caisson.client.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// The options that say what a sandbox may reach outside.
final class EgressWishes {
    private static final long MOST_RULES_BYTES = 1 << 20;

    @Option(names = "--allow", paramLabel = "HOST[:PORT[/PROTOCOL]]", description = "Let it out to this host, and to what other such options name, and no further. *.example.com stands for every name below it; "
            + "an address or a network such as 192.0.2.0/24 for TCP. PROTOCOL is tls, http or tcp (anything, unseen). Without them: TLS at 443 and HTTP at 80. May be repeated.")
    List<String> allow = List.of();

    @Option(names = "--deny", paramLabel = "HOST[:PORT]", description = "Not to this one, whatever else allows it. May be repeated.")
    List<String> deny = List.of();

    @Option(names = "--egress-preset", paramLabel = "NAME", description = "Let it out to a list of hosts that the installation keeps, such as model-apis. May be repeated.")
    List<String> presets = List.of();

    @Option(names = "--egress-rules", paramLabel = "FILE", description = "Rules as the REST API takes them, for methods, paths and more: a JSON array.")
    @Nullable String rules;

    /// @param option what the mode is called on this command line
    /// @param mode none, list or open; empty when nobody said
    Optional<EgressOptions> read(String option, String mode) {
        boolean said = !allow.isEmpty() || !deny.isEmpty() || !presets.isEmpty() || rules != null;
        if (!said && mode.isEmpty()) {
            return Optional.empty();
        }
        if (said && mode.equals("none")) {
            throw new CliException(option + " none, and rules beside it", "leave one of them away: without rules nothing leaves anyway");
        }
        if (mode.isEmpty() && allow.isEmpty() && presets.isEmpty() && rules == null) {
            throw new CliException("--deny without anything that is allowed", "add --allow, or " + option + " open");
        }
        var options = switch (mode) {
            case "none" -> EgressOptions.none();
            case "", "list" -> EgressOptions.list();
            case "open" -> EgressOptions.open();
            default -> throw new CliException("there is no " + option + " '" + mode + "'", "choose none, list or open");
        };
        for (var each : deny) {
            options = options.withDeny(each);
        }
        for (var each : rules(rules)) {
            options = options.withRule(each);
        }
        for (var each : allow) {
            options = options.withAllow(each);
        }
        for (var each : presets) {
            options = options.withPreset(each);
        }
        return Optional.of(options);
    }

    private static List<Json> rules(@Nullable String file) {
        if (file == null) {
            return List.of();
        }
        var path = LocalFile.path(file);
        try {
            if (Files.size(path) > MOST_RULES_BYTES) {
                throw new CliException(file + " is larger than 1 MiB", "a sandbox has at most 256 rules");
            }
            var json = Json.parse(Files.readString(path));
            var list = json instanceof Json.Obj object && object.members().keySet().equals(Set.of("rules")) ? object.members().get("rules") : json;
            if (list instanceof Json.Array(var values) && values.stream().allMatch(each -> each instanceof Json.Obj || each instanceof Json.Text)) {
                return values;
            }
            throw new CliException("--egress-rules " + file + " is not a list of rules", "write it like [{\"allow\": \"api.example.com\"}]");
        } catch (IllegalArgumentException e) {
            throw new CliException("--egress-rules " + file + " is not JSON: " + e.getMessage(), "see docs/egress.md for its form", e);
        } catch (NoSuchFileException e) {
            throw new CliException("there is no file " + file, "name a file with rules", e);
        } catch (IOException e) {
            throw new CliException("cannot read " + file + ": " + e.getMessage(), "make it readable", e);
        }
    }
}
