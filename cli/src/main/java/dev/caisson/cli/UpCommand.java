package dev.caisson.cli;

import dev.caisson.client.CaissonException;
import dev.caisson.client.Driver;
import dev.caisson.client.Json;
import dev.caisson.client.Standing;
import java.net.InetAddress;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `caisson up`: the installation's four processes, kept alive.
@Command(
        name = "up",
        description = {
            "Starts the installation and keeps it running: a process of it that dies is started again.",
            "",
            "Prints its address, and a key for it when it has just been made (the only time it is ever shown; make more with `caisson key create`). "
                    + "Without --detach it stays in the foreground; Ctrl-C or SIGTERM then does what `caisson down` does.",
        },
        footerHeading = "%nExamples:%n",
        footer = {"  caisson up", "  caisson up --detach --json", "  caisson up --listen 0.0.0.0:7070    let other machines in, with a key"})
final class UpCommand implements Callable<Integer> {
    /// Machines made ahead of a kind, where nobody says how many.
    static final String STANDBYS = "2";
    private static final int MAX_STANDBYS = 16;
    private static final Pattern RESOLVER = Pattern.compile("(?:(?<v4>[0-9]+(?:\\.[0-9]+){3})|\\[(?<inner>[0-9A-Fa-f:.]+)\\])(?::(?<port>[0-9]{1,5}))?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*");

    @Option(names = "--listen", paramLabel = "HOST:PORT", description = "Where clients knock. Port 0 takes a free one. Default: ${DEFAULT-VALUE}.", defaultValue = "127.0.0.1:7070")
    String listen = "";

    @Option(names = "--domain", paramLabel = "NAME[:PORT]", description = "Give every port of every sandbox a host name of its own, PORT-ID.NAME; a wildcard in DNS has to lead *.NAME here. "
            + "PORT is what clients connect to, where it is not the one of --tls-listen.")
    String domain = "";

    @Option(names = "--tls-listen", paramLabel = "HOST:PORT", description = "Where TLS for the domain is spoken; `off` for none. Default: port 7443 beside --listen. Without a certificate, one of an authority made here is shown.")
    String tlsListen = "";

    @Option(names = "--tls-cert", paramLabel = "FILE", description = "Certificate for *.NAME with its chain, PEM; read again when it changes. The user caisson must be able to read it.")
    String tlsCert = "";

    @Option(names = "--tls-key", paramLabel = "FILE", description = "Its private key, PEM.")
    String tlsKey = "";

    @Option(names = "--acme-directory", paramLabel = "URL", description = "Order the certificate from this authority, proved by DNS.")
    String acmeDirectory = "";

    @Option(names = "--acme-email", paramLabel = "ADDRESS", description = "Told to the authority.")
    String acmeEmail = "";

    @Option(names = "--acme-dns-hook", paramLabel = "PROGRAM", description = "Called as `PROGRAM set|clear NAME VALUE` to change TXT records; runs as the user caisson.")
    String acmeHook = "";

    @Option(names = "--e2b-internet", paramLabel = "refuse|ignore", defaultValue = "refuse",
            description = "What clients of E2B get that ask for internet access where --egress-open is not given: an error that says so, or a sandbox without it. Default: ${DEFAULT-VALUE}.")
    String e2bInternet = "";

    @Option(names = "--e2b-ports", paramLabel = "private|public", defaultValue = "private",
            description = "Who may reach ports of sandboxes that clients of E2B make without saying: whoever has a token or a link, or everybody, as with E2B. Default: ${DEFAULT-VALUE}.")
    String e2bPorts = "";

    @Option(names = "--egress-open", description = "Sandboxes may ask for the whole public internet (`--egress open`); clients of E2B get it unless they say otherwise, as with E2B. Without it they reach what they name.")
    boolean egressOpen;

    @Option(names = "--egress-policy", paramLabel = "FILE", description = "What all sandboxes, and those of each tenant and template, may reach at most (egress.yaml; see docs/egress.md). The user caisson must be able to read it.")
    String egressPolicy = "";

    @Option(names = "--egress-resolver", paramLabel = "ADDRESS[:PORT]", description = "The DNS server that names are looked up with. May be repeated. Default: this machine's own.")
    List<String> egressResolvers = List.of();

    @Option(names = "--egress-ca", paramLabel = "FILE", description = "Certificates, PEM, that servers outside may be of, beside those that this machine trusts.")
    String egressCa = "";

    @Option(names = "--tenant-floor", paramLabel = "microvm|gvisor", defaultValue = "microvm",
            description = "The weakest tier of untrusted code while keys of several tenants are good. No request can lower it. Default: ${DEFAULT-VALUE}.")
    String tenantFloor = "";

    @Option(names = "--accept-emulated", description = "A microVM that is only emulated (driver qemu-tcg), which is not a security boundary, may stand for one. For development and tests.")
    boolean acceptEmulated;

    @Option(names = "--standby", paramLabel = "COUNT", defaultValue = STANDBYS,
            description = "MicroVMs made ahead of each kind (template, limits) that was asked for in the last 10 minutes, so that a create need not wait for one: 0 to 16. Each takes some 50 MiB while it stands by. Default: ${DEFAULT-VALUE}.")
    int standby;

    @Option(names = {"-d", "--detach"}, description = "Return when it is ready, and leave it running.")
    boolean detach;

    @Option(names = "--json", description = "Print {\"url\": ..., \"key\": ...}; the key only when it is new.")
    boolean json;

    @Option(names = "--keep", description = "At the end of the foreground, leave sandboxes alive for a node that comes back within their grace time.")
    boolean keep;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Override
    public Integer call() throws InterruptedException {
        if (!Installation.isRoot()) {
            throw new CliException("this needs root: it makes cgroups, namespaces and mounts", "run it with sudo");
        }
        var installation = Installation.ofEnvironment();
        if (installation.isUp()) {
            try (var caisson = installation.connect()) {
                throw new CliException("it is up already: " + caisson.url(), "end it with `caisson down`, or use it as it is");
            } catch (CaissonException _) {
                throw new CliException("it is starting or ending already", "look again with `caisson status`, or end it with `caisson down`");
            }
        }
        var listening = listening();
        Launch.ensureUsers();
        installation.prepare();
        var supervision = new Supervision(installation);
        var end = new CountDownLatch(1);
        if (!detach) {
            Interrupts.handleEnd(end::countDown);
        }
        var started = supervision.start(listening, !detach);
        announce(started);
        sayWhatIsRefused(installation);
        if (detach) {
            return 0;
        }
        while (!end.await(1, java.util.concurrent.TimeUnit.SECONDS) && installation.isUp()) {
            // `caisson down` from elsewhere ends us too.
            continue;
        }
        if (installation.isUp()) {
            DownCommand.end(supervision, keep, json);
        }
        Supervision.untie(started.keepers());
        return 0;
    }

    /// What the processes are told, as they take it.
    Launch.Listening listening() {
        refuseUnless(List.of("refuse", "ignore"), "--e2b-internet", e2bInternet);
        refuseUnless(List.of("private", "public"), "--e2b-ports", e2bPorts);
        refuseUnless(List.of("microvm", "gvisor"), "--tenant-floor", tenantFloor);
        var options = new ArrayList<String>();
        add(options, "--domain", domain);
        add(options, "--tls-listen", tlsListen.isEmpty() && !domain.isEmpty() ? listen.substring(0, Math.max(0, listen.lastIndexOf(':'))) + ":7443" : tlsListen);
        add(options, "--tls-cert", tlsCert);
        add(options, "--tls-key", tlsKey);
        add(options, "--acme-directory", acmeDirectory);
        add(options, "--acme-email", acmeEmail);
        add(options, "--acme-dns-hook", acmeHook);
        add(options, "--e2b-internet", e2bInternet);
        add(options, "--e2b-ports", e2bPorts);
        if (egressOpen) {
            add(options, "--egress-open", "yes");
        }
        add(options, "--egress-policy", file("--egress-policy", egressPolicy));
        add(options, "--tenant-floor", tenantFloor);
        if (acceptEmulated) {
            add(options, "--accept-emulated", "yes");
        }
        var gateway = new ArrayList<String>();
        add(gateway, "--resolver", String.join(",", egressResolvers.stream().map(UpCommand::resolver).toList()));
        add(gateway, "--extra-ca", file("--egress-ca", egressCa));
        return new Launch.Listening(listen, options, List.of("--standby", Integer.toString(standbys(standby))), gateway, Optional.empty());
    }

    /// Errors: a [CliException] when there cannot be so many.
    static int standbys(int asked) {
        if (asked < 0 || asked > MAX_STANDBYS) {
            throw new CliException("--standby is 0 to " + MAX_STANDBYS + ", got " + asked, "choose a number in that range");
        }
        return asked;
    }

    /// The processes work in another directory than the one this is typed in.
    private static String file(String option, String file) {
        if (file.isEmpty()) {
            return "";
        }
        var path = LocalFile.path(file);
        if (!Files.isRegularFile(path)) {
            throw new CliException(option + ": there is no file " + file, "name one");
        }
        return path.toAbsolutePath().normalize().toString();
    }

    /// An address, with the port of DNS where none is named: `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53`, `[2001:db8::53]:5353`.
    private static String resolver(String text) {
        var shape = RESOLVER.matcher(text);
        try {
            if (shape.matches()) {
                String address = Objects.requireNonNullElse(shape.group("inner"), Objects.requireNonNullElse(shape.group("v4"), text));
                var _ = InetAddress.ofLiteral(address);
                String port = Objects.requireNonNullElse(shape.group("port"), "53");
                if (Integer.parseInt(port) >= 1 && Integer.parseInt(port) <= 65_535) {
                    return (address.indexOf(':') < 0 ? address : "[" + address + "]") + ":" + Integer.parseInt(port);
                }
            }
        } catch (IllegalArgumentException _) {
            // Refused below.
        }
        throw new CliException("--egress-resolver " + text + " is not the address of a DNS server", "write it like 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353");
    }

    private static void refuseUnless(List<String> known, String option, String value) {
        if (!known.contains(value)) {
            throw new CliException(option + " cannot be '" + value + "'", "choose " + String.join(" or ", known));
        }
    }

    private static void add(List<String> options, String name, String value) {
        if (!value.isEmpty()) {
            options.add(name);
            options.add(value);
        }
    }

    /// Says once at the start what every create of untrusted code would be told.
    private static void sayWhatIsRefused(Installation installation) {
        try (var caisson = installation.connect()) {
            var policy = caisson.status().policy();
            policy.flatMap(Standing::unmet).ifPresent(unmet -> Console.failure("untrusted code will be refused: " + unmet.message(), unmet.remedy()));
            if (policy.filter(Standing::acceptsEmulated).isPresent()) {
                Console.remark("a microVM may be one that is " + Driver.EMULATED + " (--accept-emulated)");
            }
        } catch (CaissonException e) {
            Console.failure("it does not say what it can give: " + e.message(), e.remedy());
        }
    }

    private void announce(Supervision.Started started) {
        if (json) {
            var object = Json.object().put("url", started.url());
            if (!started.domain().isEmpty()) {
                object.put("domain", started.domain());
            }
            if (!started.authority().isEmpty()) {
                object.put("ca", started.authority());
            }
            if (!started.key().isEmpty()) {
                object.put("key", started.key());
            }
            Console.out().println(object.done().write());
            return;
        }
        Console.out().println(started.url());
        if (!started.key().isEmpty()) {
            Console.out().println(started.key());
            Console.remark("the second line is a key for it, and is never shown again");
        }
        if (!started.domain().isEmpty()) {
            Console.remark("previews are at PORT-ID." + started.domain() + "; `caisson url ID PORT` makes a link");
        }
        if (!started.authority().isEmpty()) {
            Console.remark("their certificate is of an authority made here, good for this domain alone. To trust it: cp " + started.authority()
                    + " /usr/local/share/ca-certificates/caisson.crt && update-ca-certificates; browsers take the same file in their settings");
        }
    }
}
