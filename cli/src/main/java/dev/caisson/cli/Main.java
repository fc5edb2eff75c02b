package dev.caisson.cli;

import dev.caisson.client.CaissonException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;

/// The `caisson` command.
///
/// Every failure of ours ends it with 125 and one line that says what failed and what to do; other statuses belong to the commands that are run.
@Command(
        name = "caisson",
        versionProvider = Main.Version.class,
        description = "Runs code that nobody has read, behind real walls.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  caisson run hello.py              run a file; it sees nothing of this machine",
            "  caisson run -- python3 -c 'print(1)'",
            "  caisson up --detach               keep the installation running in the background",
            "",
            "Also: caisson setup (prepare this machine, or --check it), template (list, build, remove), policy (explain, check, presets), check and test [ROOM] (our own tests); each with --help.",
            "",
            "Environment: CAISSON_HOME (where everything lives, default /var/lib/caisson), CAISSON_URL and CAISSON_KEY (use an installation elsewhere), NO_COLOR.",
        })
public final class Main implements Runnable {
    static final String VERSION = "0.1.0";
    private static final Set<String> VERSION_OPTIONS = Set.of("-V", "--version");
    /// The platform failed, or was asked for what it cannot do.
    static final int FAILED = 125;

    @CommandLine.Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    boolean help;

    @CommandLine.Option(names = {"-V", "--version"}, versionHelp = true, description = "Show the version.")
    boolean version;

    private Main() {}

    /// Says the version.
    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"caisson " + VERSION};
        }
    }

    public static void main(String[] args) {
        int status = runExactly(args);
        Console.out().flush();
        System.exit(status);
    }

    private static int runExactly(String[] args) {
        try {
            return run(Words.exact(args));
        } catch (CliException e) {
            return failed(e);
        }
    }

    @Override
    public void run() {
        new CommandLine(this).usage(Console.err());
    }

    /// Every word of the command line, in the order that help shows them.
    private static Map<String, Supplier<Object>> words() {
        var words = new LinkedHashMap<String, Supplier<Object>>();
        words.put("run", RunCommand::new);
        words.put("up", UpCommand::new);
        words.put("down", DownCommand::new);
        words.put("status", StatusCommand::new);
        words.put("key", KeyCommand::new);
        words.put("ps", PsCommand::new);
        words.put("pause", PauseCommand::new);
        words.put("resume", ResumeCommand::new);
        words.put("kill", KillCommand::new);
        words.put("url", UrlCommand::new);
        words.put("egress", EgressCommand::new);
        words.put("receipt", ReceiptCommand::new);
        words.put("mcp", McpCommand::new);
        words.put("doctor", DoctorCommand::new);
        words.put("walk", WalkCommand::new);
        words.put("bench", BenchCommand::new);
        return words;
    }

    static int run(String... args) {
        var line = new CommandLine(new Main());
        var words = words();
        // Building one command's model takes milliseconds; only the one asked for is built.
        var asked = args.length > 0 ? words.get(args[0]) : null;
        if (asked != null) {
            line.addSubcommand(args[0], asked.get());
        } else if (args.length != 1 || !VERSION_OPTIONS.contains(args[0])) {
            words.forEach((name, command) -> line.addSubcommand(name, command.get()));
            line.addSubcommand("help", new CommandLine.HelpCommand());
        }
        configure(line);
        return line.execute(args);
    }

    private static void configure(CommandLine line) {
        line.setExpandAtFiles(false);
        line.setUnmatchedOptionsArePositionalParams(false);
        line.setOut(new PrintWriter(Console.out(), true));
        line.setErr(new PrintWriter(Console.err(), true));
        line.setColorScheme(CommandLine.Help.defaultColorScheme(Console.colours(1) ? Ansi.ON : Ansi.OFF));
        line.setParameterExceptionHandler((wrong, _) -> misused(wrong));
        line.setExecutionExceptionHandler((failure, _, _) -> failed(failure));
        // What follows a file's name, or `--`, belongs to the program that is run.
        var run = line.getSubcommands().get("run");
        if (run != null) {
            run.setStopAtPositional(true);
        }
    }

    private static int misused(CommandLine.ParameterException wrong) {
        CommandSpec spec = wrong.getCommandLine().getCommandSpec();
        String remedy = "see `" + spec.qualifiedName() + " --help`";
        if (wrong instanceof CommandLine.UnmatchedArgumentException unmatched && !unmatched.getSuggestions().isEmpty()) {
            remedy = "did you mean " + String.join(" or ", unmatched.getSuggestions().stream().limit(3).toList()) + "? " + remedy;
        }
        Console.failure(String.valueOf(wrong.getMessage()), remedy);
        return FAILED;
    }

    private static int failed(Exception failure) {
        switch (failure) {
            case CliException e -> Console.failure(String.valueOf(e.getMessage()), e.remedy());
            case CaissonException e -> Console.failure(e.message(), e.remedy());
            default -> {
                Console.failure("this should not happen: " + failure, "please report it with the lines below");
                failure.printStackTrace(Console.err());
            }
        }
        return FAILED;
    }
}
