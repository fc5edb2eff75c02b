package dev.caisson.api.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.fake.FakeWays;
import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SecretBinding;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What a sandbox may reach outside, asked for, shown and changed by REST.
@Timeout(60)
class EgressTest {
    private static final String VALUE = "hunter2-and-more";
    private static final String SECRET = "{\"name\":\"TOKEN\",\"value\":\"" + VALUE + "\",\"hosts\":[\"api.example.com\",\"*.Example.ORG.\"]}";

    @TempDir
    Path directory;

    private House house;

    @BeforeEach
    void open() {
        house = new House(directory);
    }

    @AfterEach
    void close() {
        house.close();
    }

    private SandboxId create(String json) {
        return new SandboxId(house.post("/v1/sandboxes", json).is(201).text("id"));
    }

    private EgressLayer asked(SandboxId id) {
        return house.sandboxes.get(id).spec().egress().layers().getFirst();
    }

    @Test
    void nothingLeavesUnlessItIsSaid() {
        assertThat(house.sandboxes.get(create("{}")).spec().egress().isNone()).isTrue();
        assertThat(house.sandboxes.get(create("{\"egress\":{}}")).spec().egress().isNone()).isTrue();
        assertThat(house.sandboxes.get(create("{\"egress\":{\"rules\":[]},\"secrets\":[]}")).spec().egress().isNone()).isTrue();
        assertThat(house.get("/v1/sandboxes").is(200).body()).doesNotContain("egress");
    }

    @Test
    void whatIsDeniedComesFirstThenRulesThenWhatIsAllowedThenPresets() {
        var id = create("""
                {"egress":{"presets":["model-apis"],"allow":["*.example.org","192.0.2.0/24:22/tcp"],"rules":["a.example",{"deny":"b.example"},{"allow":"c.example","methods":["GET"]}],"deny":["x.example.org"],
                 "budget":{"connections":7,"bytes":"1GiB"}}}""");
        var egress = house.sandboxes.get(id).spec().egress();
        assertThat(asked(id).mode()).isEqualTo(EgressLayer.Mode.LIST);
        assertThat(asked(id).rules()).extracting(rule -> rule.action() + " " + rule.target()).containsExactly(
                "DENY x.example.org", "ALLOW a.example", "DENY b.example", "ALLOW c.example", "ALLOW *.example.org", "ALLOW 192.0.2.0/24", "ALLOW api.example.com");
        assertThat(egress.budget().connections()).isEqualTo(7);
        assertThat(egress.budget().bytes().bytes()).isEqualTo(1L << 30);
        assertThat(egress.budget().requestsPerSecond()).as("as it is by default").isEqualTo(EgressBudget.DEFAULT.requestsPerSecond());
    }

    @Test
    void hostsComeInOneSpelling() {
        assertThat(asked(create("{\"egress\":{\"allow\":[\"BÜCHER.Example.:8443\"]}}")).rules()).containsExactly(EgressRule.allow("xn--bcher-kva.example:8443"));
    }

    @Test
    void whatWasAskedForCanBeAskedForAgain() {
        var id = create("{\"egress\":{\"allow\":[\"*.example.org\"],\"deny\":[\"x.example.org:8443\"],\"budget\":{\"connections\":7}}}");
        String shown = house.get("/v1/sandboxes/" + id).is(200).body();
        String spec = shown.substring(shown.indexOf("\"spec\":") + 7, shown.indexOf(",\"image_digest\""));
        assertThat(spec).contains("\"egress\":{\"mode\":\"list\",\"rules\":[");
        assertThat(house.sandboxes.get(create(spec)).spec()).isEqualTo(house.sandboxes.get(id).spec());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            {"mode":"none","allow":["a.example"]} | 400 | bad-request | mode none has 1 rules
            {"mode":"some"} | 400 | bad-request | 'egress.mode' cannot be 'some'
            {"mode":"open"} | 403 | not-permitted | open
            {"rules":[{"allow":"a.example"},{"name":"x","deny":"a.example","ports":[443,80],"protocols":["tls","http"]}]} | 400 | bad-request | contradict
            {"allow":["a.*.example"]} | 400 | bad-request | not a host: 'a.*.example'
            {"allow":["*a.example"]} | 400 | bad-request | not a host: '*a.example'
            {"allow":["*.com"]} | 400 | bad-request | whole top level
            {"allow":["*"]} | 400 | bad-request | not a host: '*'
            {"allow":["xn--bcher-kva..example"]} | 400 | bad-request | not a host
            {"allow":["a_b-.example"]} | 400 | bad-request | not a host
            {"allow":["https://a.example/"]} | 400 | bad-request | not a host but a URL
            {"allow":["a.example:0"]} | 400 | out-of-range | not ports: 0-0
            {"allow":["a.example:65536"]} | 400 | out-of-range | not ports: 65536-65536
            {"allow":["a.example:99-98"]} | 400 | out-of-range | not ports: 99-98
            {"allow":["a.example:443/udp"]} | 400 | bad-request | not a protocol: 'udp'
            {"allow":["192.0.2.7/24"]} | 400 | bad-request | bits behind its prefix
            {"allow":["192.0.2.0/33"]} | 400 | out-of-range | not a network
            {"allow":["0x7f.1"]} | 400 | bad-request | not a host's name but an address
            {"allow":["2852039166"]} | 400 | bad-request | not a host's name but an address
            {"allow":["::ffff:192.0.2.1"]} | 400 | bad-request | IPv4 written as IPv6
            {"allow":["169.254.169.254"]} | 400 | bad-request | metadata service
            {"allow":["metadata.google.internal"]} | 400 | bad-request | metadata service
            {"rules":[{"allow":"169.254.169.254/32","ports":[80],"protocols":["tcp"]}]} | 400 | bad-request | metadata service
            {"rules":[{"allow":"a.example","deny":"b.example"}]} | 400 | bad-request | both allows and denies
            {"rules":[{"allow":"a.example","protocols":["tcp"],"methods":["GET"]}]} | 400 | bad-request | raw TCP
            {"rules":[{"allow":"192.0.2.0/24","protocols":["tls"],"inspect":true}]} | 400 | bad-request | without a name
            {"rules":[7]} | 400 | bad-request | must be a text or an object
            {"rules":{"allow":"a.example"}} | 400 | bad-request | must be a list
            {"presets":["nonesuch"]} | 400 | bad-request | nonesuch
            {"budget":{"connections":0}} | 400 | out-of-range | 1 to 10000
            {"budget":{"requests_per_second":10001}} | 400 | out-of-range | 1 to 10000
            {"budget":{"hits":1}} | 400 | bad-request | unknown key 'egress.budget.hits'
            {"layers":[]} | 400 | bad-request | unknown key 'egress.layers'
            [] | 400 | bad-request | 'egress' must be an object
            """)
    void whatCannotBeIsRefusedAtCreateAndAtChange(String egress, int status, String code, String says) {
        var refused = house.post("/v1/sandboxes", "{\"egress\":" + egress + "}").problem(status, code);
        assertThat(refused.text("detail") + refused.text("remedy")).contains(says);
        assertThat(house.sandboxes.list()).isEmpty();
        if (egress.startsWith("{")) {
            var id = house.sandbox();
            house.put("/v1/sandboxes/" + id + "/egress", egress).problem(status, code);
            assertThat(asked(id)).isEqualTo(EgressLayer.NONE);
        }
    }

    @Test
    void tooManyRulesAreRefused() {
        String rules = String.join(",", LongStream.range(0, 257).mapToObj(i -> "\"h" + i + ".example\"").toList());
        assertThat(house.post("/v1/sandboxes", "{\"egress\":{\"allow\":[" + rules + "]}}").problem(400, "out-of-range").text("detail")).contains("257 rules");
    }

    @Test
    void itIsShownAndChangedWhileItRuns() {
        var id = create("{\"egress\":{\"allow\":[\"a.example\"],\"budget\":{\"connections\":7}},\"secrets\":[" + SECRET + "]}");
        String path = "/v1/sandboxes/" + id + "/egress";
        String placeholder = house.sandboxes.get(id).spec().egress().secrets().getFirst().placeholder();
        assertThat(house.get(path).is(200).body()).isEqualTo("{\"layers\":[{\"name\":\"request\",\"mode\":\"list\",\"rules\":[{\"allow\":\"a.example\"}]},{\"name\":\"operator\",\"mode\":\"open\",\"rules\":[]}],"
                + "\"budget\":{\"connections\":7,\"bytes\":0,\"requests_per_second\":200},"
                + "\"secrets\":[{\"name\":\"TOKEN\",\"placeholder\":\"" + placeholder + "\",\"hosts\":[\"api.example.com\",\"*.example.org\"],\"places\":[\"header\"]}]}");
        var changed = house.put(path, "{\"allow\":[\"b.example\"]}").is(200);
        assertThat(changed.body()).contains("\"rules\":[{\"allow\":\"b.example\"}]", "\"connections\":7", placeholder).doesNotContain("a.example\"");
        assertThat(asked(id).rules()).containsExactly(EgressRule.allow("b.example"));
        assertThat(house.sandboxes.get(id).spec().egress().secrets()).hasSize(1);
        assertThat(house.put(path, "{\"mode\":\"none\",\"budget\":{\"connections\":9}}").is(200).body()).contains("\"mode\":\"none\"", "\"connections\":9");
        house.put(path, "{\"secrets\":[]}").problem(400, "bad-request");
        house.delete("/v1/sandboxes/" + id).is(200);
        house.get(path).problem(404, "sandbox-not-found");
        house.put(path, "{}").problem(404, "sandbox-not-found");
    }

    @Test
    void aSecretIsSealedAndItsPlaceholderTakesItsPlace() {
        var id = create("{\"env\":{\"A\":\"1\"},\"secrets\":[" + SECRET + ",{\"name\":\"_k\",\"value\":\"other\",\"hosts\":[\"k.example\"],\"places\":[\"body\",\"query\"]}]}");
        var spec = house.sandboxes.get(id).spec();
        assertThat(asked(id).mode()).as("nothing but their hosts").isEqualTo(EgressLayer.Mode.LIST);
        assertThat(spec.egress().secrets()).extracting(SecretBinding::name).containsExactly("TOKEN", "_k");
        assertThat(spec.egress().secrets()).allSatisfy(secret -> {
            assertThat(secret.placeholder()).matches("csn-[A-Za-z0-9_-]{32}");
            assertThat(secret.sealed()).isEqualTo(FakeWays.SEALED);
        });
        assertThat(spec.egress().secrets().get(1).places()).containsExactlyInAnyOrder(SecretBinding.Place.BODY, SecretBinding.Place.QUERY);
        assertThat(spec.env()).isEqualTo(Map.of("A", "1", "TOKEN", spec.egress().secrets().getFirst().placeholder(), "_k", spec.egress().secrets().get(1).placeholder()));
        assertThat(spec.egress().secrets().getFirst().placeholder()).isNotEqualTo(spec.egress().secrets().get(1).placeholder());
    }

    @Test
    void noAnswerTellsTheValueOrWhatItWasSealedTo() {
        var made = house.post("/v1/sandboxes", "{\"secrets\":[" + SECRET + "],\"idempotency_key\":\"once\"}").is(201);
        String id = made.text("id");
        String path = "/v1/sandboxes/" + id;
        for (House.Answer answer : List.of(
                made, house.get(path).is(200), house.get("/v1/sandboxes").is(200), house.get(path + "/egress").is(200), house.put(path + "/egress", "{\"allow\":[\"a.example\"]}").is(200),
                house.post(path + "/lease", "{\"lease_seconds\":60}").is(200), house.post(path + "/pause", "{}").is(200), house.post(path + "/resume", "{}").is(200),
                house.get(path + "/flows").is(200), house.get("/v1/metrics").is(200), house.delete(path).is(200), house.get("/v1/receipts").is(200))) {
            assertThat(answer.body()).doesNotContain(VALUE, FakeWays.SEALED, "sealed");
        }
        assertThat(made.body()).contains("\"secrets\":[{\"name\":\"TOKEN\",\"placeholder\":\"csn-");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            {"secrets":[{"name":"TO-KEN","value":"@","hosts":["a.example"]}]} | bad-request | not a secret's name
            {"secrets":[{"name":"TOKEN","value":"@","hosts":[]}]} | bad-request | bound to 0 hosts
            {"secrets":[{"name":"TOKEN","value":"@"}]} | bad-request | bound to 0 hosts
            {"secrets":[{"name":"TOKEN","hosts":["a.example"]}]} | bad-request | 'secrets[0].value' is missing
            {"secrets":[{"name":"TOKEN","value":["@"],"hosts":["a.example"]}]} | bad-request | 'secrets[0].value' must be a text
            {"secrets":[{"name":"TOKEN","value":"","hosts":["a.example"]}]} | out-of-range | 1 to 16384 bytes
            {"secrets":[{"name":"TOKEN","value":"@\\n","hosts":["a.example"]}]} | bad-request | control characters
            {"secrets":[{"name":"TOKEN","value":"@\\u0000","hosts":["a.example"],"places":["query"]}]} | bad-request | control characters
            {"secrets":[{"name":"TOKEN","value":"@","hosts":["a.example"],"places":["cookie"]}]} | bad-request | not a place
            {"secrets":[{"name":"TOKEN","value":"@","hosts":["192.0.2.1"]}]} | bad-request | not a host's name but an address
            {"secrets":[{"name":"TOKEN","value":"@","hosts":["*.com"]}]} | bad-request | whole top level
            {"secrets":[{"name":"TOKEN","value":"@","hosts":["metadata.google.internal"]}]} | bad-request | metadata
            {"secrets":[{"name":"TOKEN","value":"@","hosts":["a.example"],"sealed":"x"}]} | bad-request | unknown key
            {"secrets":[{"name":"TOKEN","value":"@","hosts":["a.example"]},{"name":"TOKEN","value":"@","hosts":["b.example"]}]} | bad-request | twice
            {"env":{"TOKEN":"1"},"secrets":[{"name":"TOKEN","value":"@","hosts":["a.example"]}]} | bad-request | is a variable already
            {"egress":{"mode":"none"},"secrets":[{"name":"TOKEN","value":"@","hosts":["a.example"]}]} | bad-request | mode none, and secrets
            {"egress":{"mode":"open"},"secrets":[{"name":"TOKEN","value":"@","hosts":["a.example"]}]} | not-permitted | open
            """)
    void secretsThatCannotBeAreRefusedWithoutSayingTheValue(String body, String code, String says) {
        var refused = house.post("/v1/sandboxes", body.replace("@", VALUE)).problem(code.equals("not-permitted") ? 403 : 400, code);
        assertThat(refused.text("detail") + refused.text("remedy")).contains(says);
        assertThat(refused.body()).doesNotContain(VALUE);
        assertThat(house.sandboxes.list()).isEmpty();
    }

    @Test
    void aSecretIsAtMostSixteenKibibytesAndThereAreAtMostThirtyTwo() {
        String large = "x".repeat(16 * 1024);
        create("{\"secrets\":[{\"name\":\"A\",\"value\":\"" + large + "\",\"hosts\":[\"a.example\"]}]}");
        house.post("/v1/sandboxes", "{\"secrets\":[{\"name\":\"A\",\"value\":\"" + large + "x\",\"hosts\":[\"a.example\"]}]}").problem(400, "out-of-range");
        create("{\"secrets\":[{\"name\":\"A\",\"value\":\"two\\nlines\",\"hosts\":[\"a.example\"],\"places\":[\"body\"]}]}");
        String many = String.join(",", LongStream.range(0, 33).mapToObj(i -> "{\"name\":\"A" + i + "\",\"value\":\"v\",\"hosts\":[\"a.example\"]}").toList());
        house.post("/v1/sandboxes", "{\"secrets\":[" + many + "]}").problem(400, "out-of-range");
    }

    @Test
    void aCreateWithSecretsThatIsSentAgainAnswersTheSameSandbox() {
        String body = "{\"idempotency_key\":\"once\",\"secrets\":[" + SECRET + "]}";
        var first = create(body);
        assertThat(create(body)).isEqualTo(first);
        house.post("/v1/sandboxes", body.replace("api.example.com", "b.example.com")).problem(409, "idempotency-mismatch");
        assertThat(create(body.replace("once", "twice"))).isNotEqualTo(first);
    }

    private static Flow flow(long number) {
        return new Flow(number, Instant.EPOCH, Instant.EPOCH.plusSeconds(1), "a.example", "192.0.2.7", 443, "tls", "", "request:1", true, "", 10, 20, 1);
    }

    @Test
    void theFlowLogIsReadInPagesAlsoAfterTheEnd() {
        var id = house.sandbox();
        String path = "/v1/sandboxes/" + id + "/flows";
        assertThat(house.get(path).is(200).body()).isEqualTo("{\"flows\":[]}");
        house.sandboxes.plant(id, LongStream.rangeClosed(1, 150).mapToObj(EgressTest::flow).toList());
        assertThat(numbers(house.get(path))).hasSize(100).startsWith(1L);
        assertThat(numbers(house.get(path + "?after=148"))).containsExactly(149L, 150L);
        assertThat(numbers(house.get(path + "?after=10&limit=2"))).containsExactly(11L, 12L);
        assertThat(house.get(path + "?limit=1").body()).isEqualTo("{\"flows\":[{\"number\":1,\"began_at\":\"1970-01-01T00:00:00Z\",\"ended_at\":\"1970-01-01T00:00:01Z\",\"host\":\"a.example\","
                + "\"address\":\"192.0.2.7\",\"port\":443,\"protocol\":\"tls\",\"request\":\"\",\"rule\":\"request:1\",\"allowed\":true,\"reason\":\"\",\"sent_bytes\":10,\"received_bytes\":20,\"count\":1}]}");
        house.get(path + "?limit=0").problem(400, "out-of-range");
        house.get(path + "?limit=1001").problem(400, "out-of-range");
        house.get(path + "?after=-1").problem(400, "out-of-range");
        house.get(path + "?since=1").problem(400, "bad-request");
        house.delete("/v1/sandboxes/" + id).is(200);
        assertThat(numbers(house.get(path + "?limit=1000"))).as("of an ended one").hasSize(150);
        house.get("/v1/sandboxes/sbaaaaaaaaaaaaaaaaaa/flows").problem(404, "sandbox-not-found");
    }

    private static List<Long> numbers(House.Answer answer) {
        return answer.is(200).json().objects("flows", dev.caisson.json.Forms.FLOW).stream().map(Flow::number).toList();
    }

    @Test
    void whatIsAnothersIsNeitherSeenNorChanged() {
        var id = create("{\"egress\":{\"allow\":[\"a.example\"]}}");
        house.sandboxes.plant(id, List.of(flow(1)));
        String stranger = house.keys.create("stranger", "acme").text().secret();
        String path = "/v1/sandboxes/" + id;
        for (int i = 0; i < 2; i++) {
            house.send(house.requestWith(stranger, path + "/egress").GET()).problem(404, "sandbox-not-found");
            house.send(house.requestWith(stranger, path + "/egress").header("Content-Type", "application/json").PUT(BodyPublishers.ofString("{\"allow\":[\"evil.example\"]}"))).problem(404, "sandbox-not-found");
            house.send(house.requestWith(stranger, path + "/flows").GET()).problem(404, "sandbox-not-found");
            if (i == 0) {
                assertThat(asked(id).rules()).containsExactly(EgressRule.allow("a.example"));
                house.delete(path).is(200);
            }
        }
        var mine = house.send(house.requestWith(stranger, "/v1/sandboxes").header("Content-Type", "application/json").POST(BodyPublishers.ofString("{\"egress\":{\"allow\":[\"b.example\"]}}"))).is(201);
        JsonObject egress = house.send(house.requestWith(stranger, "/v1/sandboxes/" + mine.text("id") + "/egress").GET()).is(200).json();
        assertThat(egress.has("layers")).isTrue();
    }
}
