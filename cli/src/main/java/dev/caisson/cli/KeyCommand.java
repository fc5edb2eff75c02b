package dev.caisson.cli;

import dev.caisson.client.Caisson;
import dev.caisson.client.CaissonException;
import dev.caisson.client.Json;
import dev.caisson.client.KeyInfo;
import dev.caisson.client.Standing;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `caisson key`: the keys that clients show.
@Command(
        name = "key", description = "Makes, lists and revokes the keys of this installation.", subcommands = {KeyCommand.Create.class, KeyCommand.ListKeys.class, KeyCommand.Revoke.class},
        footerHeading = "%nExamples:%n", footer = {"  caisson key create ci", "  caisson key create --tenant acme ci", "  caisson key list", "  caisson key revoke k1a2b3c4"})
final class KeyCommand implements Runnable {
    @Spec
    @org.jspecify.annotations.Nullable CommandSpec spec;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public void run() {
        if (spec != null) {
            throw new CommandLine.ParameterException(spec.commandLine(), "say create, list or revoke");
        }
    }

    /// Makes one.
    @Command(name = "create", description = "Makes a key and prints it; it is never shown again.", footerHeading = "%nExample:%n", footer = "  CAISSON_KEY=$(caisson key create ci)")
    static final class Create implements Callable<Integer> {
        @Parameters(arity = "0..1", paramLabel = "NAME", description = "For people.")
        String name = "";

        @Option(names = "--tenant", paramLabel = "TENANT", description = "Whose sandboxes it sees; default: ${DEFAULT-VALUE}.")
        String tenant = "default";

        @Option(names = "--json", description = "Print one JSON object.")
        boolean json;

        @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
        boolean help;

        @Override
        public Integer call() {
            try (var session = Session.openOrStart()) {
                var made = session.caisson().keys().create(name, tenant);
                Console.out().println(json ? made.info().json().write() : made.key());
                sayWhatIsRefusedNow(session.caisson());
            }
            return 0;
        }

        /// With another tenant's first key the floor of untrusted code rises for all.
        private static void sayWhatIsRefusedNow(Caisson caisson) {
            try {
                caisson.status().policy().filter(Standing::shared).flatMap(Standing::unmet)
                        .ifPresent(unmet -> Console.failure("untrusted code is refused from now on: " + unmet.message(), unmet.remedy()));
            } catch (CaissonException _) {
                // The key is made, whatever a node that is away could give.
            }
        }
    }

    /// Shows all.
    @Command(name = "list", description = "Lists the keys, revoked ones too; never their text.")
    static final class ListKeys implements Callable<Integer> {
        @Option(names = "--json", description = "Print one JSON array.")
        boolean json;

        @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
        boolean help;

        @Override
        public Integer call() {
            try (var session = Session.openOrStart()) {
                var keys = session.caisson().keys().list();
                if (json) {
                    Console.out().println(Json.array(keys.stream().map(KeyInfo::json).toList()).pretty());
                } else {
                    Console.table(List.of("ID", "NAME", "TENANT", "CREATED", "LAST USED", "REVOKED"), keys.stream().map(key -> List.of(
                            key.id(), key.name(), key.tenant(), key.created().toString(), key.lastUsed().map(Object::toString).orElse("never"), key.revoked().map(Object::toString).orElse("-"))).toList());
                }
            }
            return 0;
        }
    }

    /// Ends one.
    @Command(name = "revoke", description = "Revokes a key, from the next call on.")
    static final class Revoke implements Callable<Integer> {
        @Parameters(arity = "1", paramLabel = "ID", description = "Its id, as `caisson key list` shows it.")
        String id = "";

        @Option(names = "--json", description = "Print the key as one JSON object.")
        boolean json;

        @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
        boolean help;

        @Override
        public Integer call() {
            try (var session = Session.openOrStart()) {
                var key = session.caisson().keys().revoke(id);
                Console.out().println(json ? key.json().write() : key.id() + " revoked");
            }
            return 0;
        }
    }
}
