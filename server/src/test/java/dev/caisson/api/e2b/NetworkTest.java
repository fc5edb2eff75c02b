package dev.caisson.api.e2b;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.EgressTarget;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SecretBinding;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What E2B's clients say of a sandbox's network, and what becomes of it.
@Timeout(60)
class NetworkTest {
    private static final E2bSettings IGNORE = E2bSettings.DEFAULT.with(E2bSettings.Internet.IGNORE);

    @TempDir
    Path directory;

    private static SandboxId create(House house, String body) {
        return new SandboxId(house.send(house.control("/v2/sandboxes").POST(BodyPublishers.ofString(body))).is(201).json().text("sandboxID"));
    }

    private static House.Answer update(House house, SandboxId id, String body) {
        return house.send(house.control("/sandboxes/" + id + "/network").PUT(BodyPublishers.ofString(body)));
    }

    private static EgressLayer asked(House house, SandboxId id) {
        return house.sandboxes.get(id).spec().egress().layers().getFirst();
    }

    private static String shown(EgressLayer layer) {
        return layer.mode() + String.join("", layer.rules().stream().map(rule -> (rule.action() == EgressRule.Action.ALLOW ? " +" : " -") + rule.target()).toList());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            closed | {} | NONE
            closed | {"network":{}} | NONE
            closed | {"allow_internet_access":false} | NONE
            closed | {"network":{"denyOut":["0.0.0.0/0"]}} | NONE
            closed | {"network":{"denyOut":["192.0.2.0/24"]}} | NONE
            closed | {"network":{"allowOut":["a.example","*.b.example"],"denyOut":["0.0.0.0/0"]}} | LIST +a.example +*.b.example
            closed | {"network":{"allowOut":["A.Example."],"denyOut":["0.0.0.0/0","192.0.2.0/24"]}} | LIST +a.example -192.0.2.0/24
            closed | {"allow_internet_access":false,"network":{"allowOut":["a.example"]}} | LIST +a.example
            closed | {"allow_internet_access":true,"network":{"allowOut":["a.example"],"denyOut":["0.0.0.0/0"]}} | LIST +a.example
            closed | {"network":{"allowOut":["192.0.2.7"]}} | LIST +192.0.2.7/32
            closed | {"network":{"allowOut":["192.0.2.7"],"denyOut":["192.0.2.7"]}} | LIST +192.0.2.7/32 -192.0.2.7/32
            open | {} | OPEN
            open | {"allow_internet_access":true} | OPEN
            open | {"allow_internet_access":false} | NONE
            open | {"network":{"denyOut":["192.0.2.0/24"]}} | OPEN -192.0.2.0/24
            open | {"network":{"allowOut":["192.0.2.7"],"denyOut":["192.0.2.0/24"]}} | OPEN +192.0.2.7/32 -192.0.2.0/24
            open | {"network":{"allowOut":["0.0.0.0/0"],"denyOut":["0.0.0.0/0"]}} | OPEN
            open | {"network":{"allowOut":["a.example"],"denyOut":["0.0.0.0/0"]}} | LIST +a.example
            ignored | {"allow_internet_access":true} | NONE
            ignored | {"network":{"allowOut":["0.0.0.0/0"]}} | NONE
            ignored | {"network":{"allowOut":["a.example"],"denyOut":["0.0.0.0/0"]},"allow_internet_access":true} | LIST +a.example
            """)
    void whatIsAllowedWinsAndTheRestIsAsTheOperatorSays(String operator, String body, String layer) {
        try (var house = new House(directory, operator.equals("ignored") ? IGNORE : E2bSettings.DEFAULT, operator.equals("open"))) {
            var id = create(house, body);
            assertThat(shown(asked(house, id))).isEqualTo(layer);
        }
    }

    @Test
    void aNameIsForTheWebAndAnAddressForAnything() {
        try (var house = new House(directory)) {
            var id = create(house, "{\"network\":{\"allowOut\":[\"a.example\",\"192.0.2.7\"],\"denyOut\":[\"0.0.0.0/0\"]}}");
            assertThat(asked(house, id).rules()).containsExactly(EgressRule.allow(EgressTarget.parse("a.example")), EgressRule.allow(EgressTarget.parse("192.0.2.7")));
            assertThat(asked(house, id).rules().getFirst().fitsPort(443)).isTrue();
            assertThat(asked(house, id).rules().getFirst().fitsPort(22)).isFalse();
            assertThat(asked(house, id).rules().get(1).fitsPort(22)).isTrue();
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            {"allow_internet_access":true} | no access to the whole internet
            {"network":{"allowOut":["0.0.0.0/0"]}} | no access to the whole internet
            {"network":{"allowOut":["a.example"]}} | you must include 'ALL_TRAFFIC' in deny out
            {"network":{"allowOut":["a.example"],"denyOut":["192.0.2.0/24"]}} | you must include 'ALL_TRAFFIC' in deny out
            {"network":{"denyOut":["a.example"]}} | invalid denied CIDR a.example
            {"network":{"denyOut":["192.0.2.7/24"]}} | bits behind its prefix
            {"network":{"allowOut":["a.*.example"],"denyOut":["0.0.0.0/0"]}} | not a host
            {"network":{"allowOut":["192.0.2.0/33"],"denyOut":["0.0.0.0/0"]}} | not a network
            {"network":{"allowOut":["169.254.169.254"],"denyOut":["0.0.0.0/0"]}} | metadata service
            {"network":{"allowOut":[7]}} | must be a text
            {"network":{"allowOut":"a.example"}} | must be a list
            {"network":{"rules":{"a.example":[{"transform":{"headers":{"X":"y"}}}]}}} | network.rules is not supported by this server: headers are not written
            {"network":{"egressProxy":{"address":"192.0.2.1:1080"}}} | network.egressProxy is not supported
            {"network":{"dnsServers":["192.0.2.53"]}} | network.dnsServers is not supported
            {"network":{"httpsPorts":[8443]}} | network.httpsPorts is not supported
            {"network":{"maskRequestHost":"x"}} | network.maskRequestHost is not supported
            {"allow_internet_access":"yes"} | true or false
            """)
    void whatCannotBeIsRefusedAtCreateAndAtUpdate(String body, String says) {
        try (var house = new House(directory)) {
            assertThat(house.send(house.control("/v2/sandboxes").POST(BodyPublishers.ofString(body))).refused(400)).contains(says);
            assertThat(house.sandboxes.list()).isEmpty();
            var id = house.sandbox();
            String flat = body.startsWith("{\"network\":") ? body.substring(11, body.length() - 1) : body;
            assertThat(update(house, id, flat).refused(400)).contains(says);
            assertThat(asked(house, id)).isEqualTo(EgressLayer.NONE);
        }
    }

    @Test
    void emptyWishesAreNone() {
        try (var house = new House(directory)) {
            var id = create(house, "{\"network\":{\"allowOut\":[],\"denyOut\":[],\"rules\":{},\"dnsServers\":[],\"egressProxy\":null,\"httpsPorts\":[]}}");
            assertThat(asked(house, id)).isEqualTo(EgressLayer.NONE);
        }
    }

    @Test
    void anUpdateReplacesAllThatWasSaidButNotSecrets() {
        try (var house = new House(directory)) {
            var id = create(house, "{\"network\":{\"allowOut\":[\"a.example\"],\"denyOut\":[\"0.0.0.0/0\"]}}");
            var secret = new SecretBinding("T", "csn-0123456789abcdefghijkl", List.of(HostPattern.parse("k.example")), Set.of(), "c2VhbGVk");
            var before = house.sandboxes.get(id).spec().egress();
            house.sandboxes.setEgress(id, new dev.caisson.sandbox.Egress(before.layers(), before.budget(), List.of(secret)));
            assertThat(update(house, id, "{\"allowOut\":[\"b.example\"],\"denyOut\":[\"0.0.0.0/0\"]}").is(204).body()).isEmpty();
            assertThat(shown(asked(house, id))).isEqualTo("LIST +b.example");
            assertThat(house.sandboxes.get(id).spec().egress().secrets()).containsExactly(secret);
            update(house, id, "{\"allow_internet_access\":false}").is(204);
            assertThat(shown(asked(house, id))).isEqualTo("NONE");
            update(house, id, "{\"allow_internet_access\":false,\"allowOut\":[\"c.example\"]}").is(204);
            update(house, id, "{}").is(204);
            assertThat(shown(asked(house, id))).isEqualTo("NONE");
        }
    }

    @Test
    void whatIsOmittedFromAnUpdateIsOpenWhereTheOperatorConsented() {
        try (var house = new House(directory, E2bSettings.DEFAULT, true)) {
            var id = create(house, "{\"allow_internet_access\":false}");
            update(house, id, "{}").is(204);
            assertThat(shown(asked(house, id))).isEqualTo("OPEN");
        }
    }

    @Test
    void gettingASandboxTellsItsNetwork() {
        try (var house = new House(directory, E2bSettings.DEFAULT, true)) {
            var open = create(house, "{\"network\":{\"denyOut\":[\"192.0.2.0/24\"],\"allowPublicTraffic\":true}}");
            assertThat(house.send(house.control("/sandboxes/" + open)).is(200).body()).contains(
                    "\"allowInternetAccess\":true,\"network\":{\"allowOut\":[],\"denyOut\":[\"192.0.2.0/24\"],\"allowPublicTraffic\":true}");
            var listed = create(house, "{\"network\":{\"allowOut\":[\"*.a.example\"],\"denyOut\":[\"0.0.0.0/0\"]}}");
            assertThat(house.send(house.control("/sandboxes/" + listed)).is(200).body()).contains(
                    "\"allowInternetAccess\":false,\"network\":{\"allowOut\":[\"*.a.example\"],\"denyOut\":[\"0.0.0.0/0\"],\"allowPublicTraffic\":false}");
        }
    }

    @Test
    void anothersNetworkIsNotThere() {
        try (var house = new House(directory)) {
            var id = create(house, "{\"network\":{\"allowOut\":[\"a.example\"],\"denyOut\":[\"0.0.0.0/0\"]}}");
            String stranger = house.keys.create("stranger", "acme").text().secret();
            house.send(house.control(stranger, "/sandboxes/" + id + "/network").PUT(BodyPublishers.ofString("{}"))).refused(404);
            assertThat(shown(asked(house, id))).isEqualTo("LIST +a.example");
        }
    }
}
