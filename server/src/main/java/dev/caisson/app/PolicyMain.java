package dev.caisson.app;

import dev.caisson.egress.Judge;
import dev.caisson.egress.Presets;
import dev.caisson.egress.Replay;
import dev.caisson.host.Home;
import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.json.Yaml;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonGenerator;

/// `caisson policy`: what rules of the way out say, before anybody lives by them. Its first two arguments are `--home DIR`.
///
/// Answers go to stdout: with `--json` one object, else lines for people. Any failure is one line on stderr and exit status 125.
public final class PolicyMain {
    private static final String USAGE = "use: caisson policy explain --from LOG FILE [--check] [--json] | check FILE [--json] | presets [--json]";

    private final Presets presets;
    private final boolean json;
    private final InputStream in;
    private final PrintStream out;

    private PolicyMain(Presets presets, boolean json, InputStream in, PrintStream out) {
        this.presets = presets;
        this.json = json;
        this.in = in;
        this.out = out;
    }

    public static void main(String[] arguments) {
        System.exit(run(List.of(arguments), System.in, System.out, System.err));
    }

    static int run(List<String> arguments, InputStream in, PrintStream out, PrintStream err) {
        try {
            var words = new ArrayList<>(arguments);
            boolean json = words.remove("--json");
            boolean check = words.remove("--check");
            if (words.size() < 3 || !words.getFirst().equals("--home")) {
                throw misused("no word given");
            }
            var main = new PolicyMain(new Presets(new Home(Path.of(words.get(1))).egress().resolve("presets")), json, in, out);
            return main.word(words.subList(2, words.size()), check);
        } catch (SandboxException e) {
            err.println("error: " + e.failure().message() + " (" + e.failure().remedy() + ")");
            return 125;
        }
    }

    private int word(List<String> words, boolean check) {
        int from = words.indexOf("--from");
        if (words.getFirst().equals("explain") && words.size() == 4 && from > 0 && from < 3) {
            return explain(words.get(from + 1), words.get(from == 1 ? 3 : 1), check);
        } else if (words.getFirst().equals("check") && words.size() == 2 && !check) {
            check(words.get(1));
        } else if (words.equals(List.of("presets")) && !check) {
            listPresets();
        } else {
            throw misused("not understood: " + Failure.shown(String.join(" ", words)));
        }
        return 0;
    }

    private static SandboxException misused(String what) {
        return Failure.Code.BAD_REQUEST.with(what, USAGE);
    }

    private int explain(String log, String rules, boolean check) {
        var layer = file(rules).getFirst().layer();
        var replay = new Replay(new Judge(new Egress(List.of(layer), EgressBudget.DEFAULT, List.of())));
        FlowLogFile.read(log, in).forEach(replay::add);
        var changes = replay.outcomes().stream().filter(each -> each.getKey().changes()).toList();
        long flows = replay.outcomes().stream().mapToLong(each -> each.getValue().count()).sum();
        long changed = changes.stream().mapToLong(each -> each.getValue().count()).sum();
        if (json) {
            print(Json.object(to -> {
                to.writeNumberProperty("attempts", flows);
                to.writeNumberProperty("changed", changed);
                to.writeArrayPropertyStart("changes");
                changes.forEach(each -> write(each, to));
                to.writeEndArray();
            }));
        } else {
            changes.forEach(each -> out.println(line(each)));
            out.println(changed + " of " + flows + " attempts would end otherwise");
        }
        return check && !changes.isEmpty() ? 1 : 0;
    }

    private static String line(Map.Entry<Replay.Outcome, Replay.Total> each) {
        var it = each.getKey();
        var total = each.getValue();
        String place = Failure.shown(it.place(), 253);
        return (place.indexOf(':') < 0 ? place : "[" + place + "]") + (it.port() == 0 ? "" : ":" + it.port()) + " " + Failure.shown(it.protocol()) + (it.request().isEmpty() ? "" : " " + Failure.shown(it.request(), 200))
                + ": " + verdict(it.before(), it.ruleBefore()) + " → " + verdict(it.now().allowed(), it.now().rule()) + (it.now().reason().isEmpty() ? "" : " (" + Failure.shown(it.now().reason(), 200) + ")")
                + ", " + (total.count() == 1 ? "once" : total.count() + " times") + ", " + total.bytes() + " bytes";
    }

    private static String verdict(boolean allowed, String rule) {
        return (allowed ? "allowed by " : "denied by ") + (rule.isEmpty() ? "nothing" : Failure.shown(rule));
    }

    private static void write(Map.Entry<Replay.Outcome, Replay.Total> each, JsonGenerator to) {
        var it = each.getKey();
        to.writeStartObject();
        to.writeStringProperty("place", it.place());
        to.writeNumberProperty("port", it.port());
        to.writeStringProperty("protocol", it.protocol());
        to.writeStringProperty("request", it.request());
        to.writeBooleanProperty("allowed_before", it.before());
        to.writeStringProperty("rule_before", it.ruleBefore());
        to.writeBooleanProperty("allowed", it.now().allowed());
        to.writeStringProperty("rule", it.now().rule());
        to.writeStringProperty("reason", it.now().reason());
        to.writeNumberProperty("count", each.getValue().count());
        to.writeNumberProperty("bytes", each.getValue().bytes());
        to.writeEndObject();
    }

    /// @param of whose layer it is, for people
    private record Named(String of, EgressLayer layer) {}

    /// A request's rules, or an `egress.yaml`: then its ceiling comes first.
    private List<Named> file(String name) {
        var path = Path.of(name);
        try {
            JsonObject document = Yaml.parse(EgressFile.bytes(path));
            if (document.names().stream().noneMatch(key -> key.equals("mode") || key.equals("rules"))) {
                if (document.names().isEmpty()) {
                    throw Failure.Code.BAD_REQUEST.with("it says nothing", "give it 'mode' and 'rules', or a 'ceiling'");
                }
                return layers(EgressFile.parse(document, presets));
            }
            var layer = Forms.egressLayer(presets::rules).readKeys(document);
            document.end();
            return List.of(new Named(layer.name(), layer));
        } catch (SandboxException e) {
            throw e.code() == Failure.Code.HOST_UNFIT ? e : e.code().with(name + ": " + e.failure().message(), e.failure().remedy(), e);
        }
    }

    private static List<Named> layers(EgressFile file) {
        var layers = new ArrayList<Named>();
        layers.add(new Named(file.ceiling().name() + (file.open() ? " (consents to mode open)" : ""), file.ceiling()));
        file.tenants().forEach((name, layer) -> layers.add(new Named("tenant " + name, layer)));
        file.templates().forEach((name, layer) -> layers.add(new Named("template " + name, layer)));
        return layers;
    }

    private void check(String name) {
        var layers = file(name);
        if (json) {
            print(Json.object(to -> {
                to.writeArrayPropertyStart("layers");
                layers.forEach(each -> {
                    to.writeStartObject();
                    to.writeStringProperty("of", each.of());
                    Forms.EGRESS_LAYER.writeKeys(each.layer(), to);
                    to.writeEndObject();
                });
                to.writeEndArray();
            }));
        } else {
            layers.forEach(each -> out.println(each.of() + ": mode " + Json.label(each.layer().mode()) + ", " + rules(each.layer().rules().size())));
        }
    }

    private static String rules(int count) {
        return count == 1 ? "1 rule" : count + " rules";
    }

    private void listPresets() {
        if (json) {
            print(Json.object(to -> {
                to.writeArrayPropertyStart("presets");
                presets.names().forEach(name -> write(name, to));
                to.writeEndArray();
            }));
        } else {
            presets.names().forEach(name -> out.println(line(name)));
        }
    }

    private String line(String name) {
        try {
            var preset = presets.preset(name);
            return String.format("%-24s %9s  %s%s", name, rules(preset.rules().size()), Failure.shown(preset.about(), 200), preset.file().map(file -> "  (" + file + ")").orElse(""));
        } catch (SandboxException e) {
            return String.format("%-24s %9s  %s", name, "unusable", e.failure().message());
        }
    }

    private void write(String name, JsonGenerator to) {
        to.writeStartObject();
        to.writeStringProperty("name", name);
        try {
            var preset = presets.preset(name);
            to.writeStringProperty("about", preset.about());
            preset.file().ifPresent(file -> to.writeStringProperty("file", file.toString()));
            Json.writeList(to, "rules", preset.rules(), Forms.EGRESS_RULE);
        } catch (SandboxException e) {
            to.writeStringProperty("error", e.failure().message());
        }
        to.writeEndObject();
    }

    private void print(byte[] document) {
        out.println(new String(document, StandardCharsets.UTF_8));
    }
}
