package dev.caisson.cli;

import dev.caisson.client.CaissonException;
import dev.caisson.client.CommandOptions;
import dev.caisson.client.Driver;
import dev.caisson.client.Sandbox;
import dev.caisson.client.SandboxOptions;
import dev.caisson.client.Standing;
import dev.caisson.client.Tier;
import dev.caisson.client.Trust;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `caisson run`: one sandbox for one command.
@Command(
        name = "run",
        customSynopsis = "caisson run [OPTIONS] (FILE [ARG...] | -- COMMAND...)",
        description = {
            "Runs a file, or a command of the template's own, in a sandbox made for it and gone after it.",
            "",
            "A FILE is copied into the working directory of the sandbox and run by what its first line (#!) says, else by its ending: .py python3, .js node, .sh bash. "
                    + "Standard input, output and error are the command's own, byte for byte. Ctrl-C interrupts the command, a second one kills it.",
            "",
        },
        optionListHeading = "%nOptions:%n",
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0-255:the command's own", "124:its time was over", "137:it used more memory than it was given, or its sandbox was ended", "125:Caisson failed; one line says what and what to do",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  caisson run examples/hello.py",
            "  caisson run --memory 256MiB --timeout 10s script.js --its-own-option",
            "  caisson run --file data.csv --get out/result.json -- python3 -c '...'",
            "  tar c . | caisson run -- sh -c 'tar x && make test'",
            "  caisson run --tty -- bash",
            "  caisson run --allow api.example.com --allow '*.example.org' script.py",
            "  caisson run --secret TOKEN=env:TOKEN@api.example.com script.py",
        })
final class RunCommand implements Callable<Integer> {
    /// The lease outlives the command's time by so much, for files to come and go.
    private static final Duration MARGIN = Duration.ofSeconds(60);
    private static final Duration LONGEST = Duration.ofHours(24);
    /// What --json keeps of both outputs unless told otherwise: it holds them in memory.
    private static final long JSON_OUTPUT = 16L << 20;
    private static final long DEFAULT_DISK = 1L << 30;

    @Spec
    @Nullable CommandSpec spec;

    @Option(names = "--tier", paramLabel = "TIER", description = "microvm, gvisor or container. Never weaker than --trust and the other tenants of the installation allow. Default: the weakest that is allowed.")
    @Nullable String tier;

    @Option(names = "--driver", paramLabel = "DRIVER", description = "What runs it: firecracker, qemu, qemu-tcg (emulated: not a security boundary), gvisor or container. Default: the best of its tier.")
    @Nullable String driver;

    @Option(names = "--accept-emulated", description = "A microVM that is only emulated, which is not a security boundary, may stand for one. It is for what this run starts; "
            + "an installation that runs already goes by how it was started (`caisson up --accept-emulated`).")
    boolean acceptEmulated;

    @Option(names = "--trust", paramLabel = "TRUST", description = "What you say of the code: untrusted (default), reviewed or trusted. Only trusted code may run in tier container.")
    @Nullable String trust;

    @Option(names = "--template", paramLabel = "NAME", description = "What the sandbox starts from. Default: base.")
    @Nullable String template;

    @Option(names = "--cpus", paramLabel = "N", description = "CPU time per second, such as 2 or 0.5. Default: 1.")
    @Nullable Double cpus;

    @Option(names = "--memory", paramLabel = "SIZE", converter = Amounts.Size.class, description = "Above it the code is killed. Default: 512MiB.")
    @Nullable Long memory;

    @Option(names = "--processes", paramLabel = "N", description = "Processes and threads. Default: 256.")
    @Nullable Integer processes;

    @Option(names = "--disk", paramLabel = "SIZE", converter = Amounts.Size.class, description = "Bytes it may write. Default: 1GiB.")
    @Nullable Long disk;

    @Option(names = "--timeout", paramLabel = "DURATION", converter = Amounts.Time.class, description = "SIGTERM then, SIGKILL 2 s later. 500ms, 30s, 5m, 1h. Default: 5m.")
    Duration timeout = Duration.ofMinutes(5);

    @Option(names = "--output-limit", paramLabel = "SIZE", converter = Amounts.Size.class, description = "Of both outputs together; the command is ended above it. Default: 1GiB, with --json 16MiB.")
    @Nullable Long outputLimit;

    @Option(names = "--env", paramLabel = "NAME=VALUE", description = "A variable for the command. May be repeated.")
    List<String> env = List.of();

    @Option(names = "--file", paramLabel = "LOCAL[:REMOTE]", description = "Copy a file in before the command. REMOTE is relative to the working directory. May be repeated.")
    List<String> files = List.of();

    @Option(names = "--get", paramLabel = "REMOTE[:LOCAL]", description = "Copy a file out after the command. May be repeated.")
    List<String> gets = List.of();

    @Option(names = "--user", paramLabel = "NAME", description = "A user of the template, such as root. Default: the template's.")
    String user = "";

    @Option(names = "--cwd", paramLabel = "DIR", description = "Working directory, absolute. Default: the user's home.")
    String cwd = "";

    @Mixin
    EgressWishes egress = new EgressWishes();

    @Option(names = "--egress", paramLabel = "none|list|open", description = "For what no rule speaks of: nothing leaves (default), only what a rule allows (with --allow), or the public internet, "
            + "where the operator has consented (`caisson up --egress-open`).")
    String egressMode = "";

    @Option(names = "--secret", paramLabel = "NAME=SOURCE@HOST[,HOST...]", description = "Let the code use a secret that it never sees: its variable NAME holds a placeholder, which becomes the value in headers "
            + "of requests to HOST over TLS. SOURCE is env:VARIABLE (of this shell) or file:PATH. May be repeated.")
    List<String> secrets = List.of();

    @Option(names = {"-t", "--tty"}, description = "Give the command this terminal: every key goes to it, Ctrl-C too, and its screen is this one. Both outputs are one then.")
    boolean tty;

    @Option(names = "--json", description = "Print the whole result and the receipt as one JSON object instead of the outputs.")
    boolean json;

    @Option(names = {"-q", "--quiet"}, description = "No line about the run at its end.")
    boolean quiet;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @Parameters(arity = "0..*", hidden = true)
    List<String> words = List.of();

    @Override
    public Integer call() throws Exception {
        var plan = plan();
        try (var session = Session.openOrStart(OneShot.listening(acceptEmulated, 0)); var run = new Run(session, plan)) {
            if (acceptEmulated) {
                sayWhoDecides(session);
            }
            return run.go();
        }
    }

    /// Whoever uses what others started has no say in what counts as a wall there.
    private static void sayWhoDecides(Session session) {
        if (session.caisson().status().policy().filter(Standing::acceptsEmulated).isEmpty()) {
            Console.remark("--accept-emulated changes nothing at " + session.caisson().url() + ": it runs already, and was started without");
        }
    }

    /// What is to be done, checked as far as it can be here; nothing has been made yet.
    ///
    /// @param argv of the command inside
    /// @param in files to send first
    /// @param goesOut it was said what it may reach outside
    record Plan(
            SandboxOptions sandbox, CommandOptions command, List<String> argv, List<LocalFile> in, List<LocalFile> out, String user, String cwd, Duration timeout, boolean json,
            boolean quiet, Input input, boolean tty, boolean goesOut) {
        /// Where a file of the sandbox is, as its files API knows it: relative names are relative to the working directory.
        String place(String remote) {
            return remote.startsWith("/") || cwd.isEmpty() ? remote : cwd.replaceAll("/+$", "") + "/" + remote;
        }
    }

    private Plan plan() {
        var in = new ArrayList<>(files.stream().map(LocalFile::in).toList());
        var out = gets.stream().map(LocalFile::out).toList();
        var argv = new ArrayList<String>();
        if (words.isEmpty()) {
            throw new CliException("nothing to run", "name a file, or a command after --, such as: caisson run -- echo hi");
        }
        if (afterDashes()) {
            argv.addAll(words);
        } else {
            var snippet = Snippet.of(LocalFile.path(words.getFirst()));
            in.add(new LocalFile(snippet.file(), snippet.name()));
            argv.addAll(snippet.interpreter());
            // A name such as -c.py is a file, not an option.
            argv.add(snippet.name().startsWith("-") ? "./" + snippet.name() : snippet.name());
            argv.addAll(words.subList(1, words.size()));
        }
        long room = disk == null ? DEFAULT_DISK : disk;
        for (var file : in) {
            if (file.size() > room) {
                throw new CliException(
                        file.local() + " is larger (" + Amounts.shown(file.size()) + ") than the sandbox's disk (" + Amounts.shown(room) + ")", "give it more with --disk");
            }
        }
        if (!cwd.isEmpty() && !cwd.startsWith("/")) {
            throw new CliException("--cwd " + cwd + " is not absolute", "start it with /");
        }
        if (tty && json) {
            throw new CliException("--tty and --json do not go together", "leave one of them away");
        }
        if (tty && !(Console.isTerminal(0) && Console.isTerminal(1))) {
            throw new CliException("--tty, but standard input and output are not a terminal", "leave --tty away, or run it in a terminal");
        }
        var input = Input.ofProcess();
        var command = CommandOptions.of(argv).withTimeout(timeout).withEnv(environment());
        command = cwd.isEmpty() ? command : command.withCwd(cwd);
        command = user.isEmpty() ? command : command.withUser(user);
        command = input.isNone() ? command : command.withInput();
        if (outputLimit != null || json) {
            command = command.withOutputLimit(outputLimit == null ? JSON_OUTPUT : outputLimit);
        }
        var wish = egress.read("--egress", egressMode);
        var options = wish.map(sandbox()::withEgress).orElseGet(this::sandbox);
        for (var each : secrets) {
            options = SecretWish.parse(each, System::getenv).in(options);
        }
        boolean goesOut = !secrets.isEmpty() || wish.isPresent() && !egressMode.equals("none");
        return new Plan(options, command, argv, in, out, user, cwd, timeout, json, quiet, input, tty, goesOut);
    }

    /// True when `--` came before the first word.
    private boolean afterDashes() {
        if (spec == null) {
            return false;
        }
        var all = spec.commandLine().getParseResult().originalArgs();
        int at = all.size() - words.size() - 1;
        return at >= 0 && all.get(at).equals("--");
    }

    private Map<String, String> environment() {
        var variables = new LinkedHashMap<String, String>();
        for (String each : env) {
            int equals = each.indexOf('=');
            if (equals < 1) {
                throw new CliException("--env " + each + " is not NAME=VALUE", "write it like --env LANG=C.UTF-8");
            }
            variables.put(each.substring(0, equals), each.substring(equals + 1));
        }
        return variables;
    }

    private SandboxOptions sandbox() {
        var lease = timeout.plus(MARGIN);
        var options = SandboxOptions.defaults().withLease(lease.compareTo(LONGEST) > 0 ? LONGEST : lease);
        options = tier == null ? options : options.withTier(word(Tier.class, "--tier", tier, "microvm, gvisor or container"));
        options = driver == null ? options : options.withDriver(word(Driver.class, "--driver", driver, "firecracker, qemu, qemu-tcg, gvisor or container"));
        options = trust == null ? options : options.withTrust(word(Trust.class, "--trust", trust, "untrusted, reviewed or trusted"));
        options = template == null ? options : options.withTemplate(template);
        options = cpus == null ? options : options.withCpus(finite(cpus));
        options = memory == null ? options : options.withMemory(memory);
        options = disk == null ? options : options.withDisk(disk);
        return processes == null ? options : options.withProcesses(processes);
    }

    private static double finite(double number) {
        if (!Double.isFinite(number)) {
            throw new CliException("--cpus " + number + " is not an amount", "write it like 2 or 0.5");
        }
        return number;
    }

    private static <E extends Enum<E>> E word(Class<E> type, String option, String word, String choices) {
        for (E each : type.getEnumConstants()) {
            if (each.name().toLowerCase(Locale.ROOT).replace('_', '-').equals(word)) {
                return each;
            }
        }
        throw new CliException("there is no " + option.substring(2) + " '" + word + "'", "choose " + choices);
    }

    /// For tests: the parsed plan of a command line.
    static Plan planOf(String... args) {
        var command = new RunCommand();
        var line = new CommandLine(command).setStopAtPositional(true).setExpandAtFiles(false);
        line.parseArgs(args);
        return command.plan();
    }

    static CaissonException noReceipt(Sandbox sandbox, CaissonException cause) {
        return new CaissonException(
                cause.code(), cause.status(), "no receipt came for sandbox " + sandbox.id() + ": " + cause.message(), "it ends with its lease; look again with `caisson receipt " + sandbox.id() + "`",
                cause);
    }
}
