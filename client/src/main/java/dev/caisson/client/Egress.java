package dev.caisson.client;

import java.util.List;

/// What a sandbox may reach outside: something is allowed only when every layer allows it.
///
/// @param layers the request's first, then the template's, the tenant's and the operator's, as far as there are any
/// @param connections open at a time
/// @param bytes both ways together, over its whole life; 0 means no bound
/// @param requestsPerSecond connections, HTTP requests and names looked up
/// @param json all that the installation said of it
public record Egress(List<Layer> layers, int connections, long bytes, int requestsPerSecond, List<Secret> secrets, Json.Obj json) {
    public Egress {
        layers = List.copyOf(layers);
        secrets = List.copyOf(secrets);
    }

    /// One party's wishes; the first rule that fits decides, else the mode.
    ///
    /// @param name `request`, `template`, `tenant` or `operator`
    /// @param mode `none`, `list` or `open`
    /// @param rules as the REST API writes them
    public record Layer(String name, String mode, List<Json> rules) {}

    /// A secret that the sandbox uses and never sees.
    ///
    /// @param placeholder what its variable holds
    /// @param places where in a request it is replaced: `header`, `query`, `body`
    public record Secret(String name, String placeholder, List<String> hosts, List<String> places) {}

    static Egress of(Json.Obj json) {
        return Answers.read(json, () -> {
            var budget = json.object("budget");
            return new Egress(
                    Answers.list(json, "layers", each -> new Layer(each.text("name"), each.text("mode"), each.list("rules"))),
                    (int) budget.whole("connections"), budget.whole("bytes"), (int) budget.whole("requests_per_second"),
                    Answers.list(json, "secrets", each -> new Secret(each.text("name"), each.text("placeholder"), texts(each, "hosts"), texts(each, "places"))), json);
        });
    }

    private static List<String> texts(Json.Obj json, String name) {
        return json.list(name).stream().map(each -> {
            if (each instanceof Json.Text(var text)) {
                return text;
            }
            throw new IllegalArgumentException("'" + name + "' is not a list of texts");
        }).toList();
    }
}
