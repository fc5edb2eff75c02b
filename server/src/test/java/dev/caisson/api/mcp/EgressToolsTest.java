package dev.caisson.api.mcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.LIST;

import dev.caisson.fake.FakeSandboxes;
import dev.caisson.fake.FakeWays;
import dev.caisson.json.JsonObject;
import dev.caisson.policy.Caller;
import dev.caisson.policy.Quota;
import dev.caisson.policy.Tenants;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.WallSettings;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What a model may let a sandbox out to, and what it sees of it.
class EgressToolsTest {
    private static final Caller OURS = new Caller("k1", "default");

    @TempDir
    Path directory;

    private FakeSandboxes sandboxes;
    private List<Tool> tools;

    @BeforeEach
    void open() {
        sandboxes = new FakeSandboxes(directory);
        tools = Tools.all(new Tenants(sandboxes), new TierPolicy(sandboxes, _ -> false, WallSettings.DEFAULT), new Quota(sandboxes, 10), FakeWays.ways(false), (_, _, _) -> Optional.empty());
    }

    @AfterEach
    void close() {
        sandboxes.close();
    }

    private Tool.Result call(Caller caller, String name, String arguments) throws InterruptedException {
        var in = JsonObject.parse(arguments.getBytes(StandardCharsets.UTF_8));
        var action = tools.stream().filter(tool -> tool.name().equals(name)).findFirst().orElseThrow().reader().read(in);
        in.end();
        return action.run(new ToolCall(new RunningCall(caller), new ToolCall.Progress() {
            @Override
            public void tell(double done, double total, String message) {}

            @Override
            public boolean isWanted() {
                return false;
            }
        }));
    }

    private SandboxId create(String arguments) throws InterruptedException {
        return new SandboxId(String.valueOf(call(OURS, "create_sandbox", arguments).facts().get("sandbox_id")));
    }

    @Test
    void onlyTheHostsThatWereNamedAreLetOut() throws Exception {
        assertThat(sandboxes.get(create("{}")).spec().egress().isNone()).isTrue();
        var asked = sandboxes.get(create("{\"allow\":[\"*.example.com\",\"db.example.org:5432/tcp\"]}")).spec().egress().layers().getFirst();
        assertThat(asked.mode()).isEqualTo(EgressLayer.Mode.LIST);
        assertThat(asked.rules()).containsExactly(EgressRule.allow("*.example.com"), EgressRule.allow("db.example.org:5432/tcp"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"*", "*.com", "a.*.example", "https://a.example", "a.example:0", "192.0.2.7/24", "169.254.169.254", ""})
    void whatIsNoHostIsRefused(String host) {
        assertThatThrownBy(() -> create("{\"allow\":[\"" + host + "\"]}")).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code().category()).isEqualTo(Failure.Category.CALLER));
        assertThat(sandboxes.list()).isEmpty();
    }

    @Test
    void whatWasTriedIsToldInWordsAndInFacts() throws Exception {
        var id = create("{}");
        assertThat(call(OURS, "list_egress", "{\"sandbox_id\":\"" + id + "\"}").text()).isEqualTo("It has tried to reach nothing.");
        sandboxes.plant(id, List.of(
                new Flow(1, Instant.EPOCH, Instant.EPOCH, "a.example", "192.0.2.7", 443, "tls", "", "request:1", true, "", 1, 2, 1),
                new Flow(2, Instant.EPOCH, Instant.EPOCH, "", "2001:db8::7", 25, "tcp", "", "request:default", false, "no rule\nallows it", 0, 0, 3)));
        var told = call(OURS, "list_egress", "{\"sandbox_id\":\"" + id + "\"}");
        assertThat(told.text()).isEqualTo("2 attempts:\n1 allowed tls a.example:443 (request:1)\n2 denied tcp [2001:db8::7]:25 (request:default): no rule?allows it, 3 times");
        assertThat(told.facts().get("flows")).asInstanceOf(LIST).hasSize(2);
        assertThat(call(OURS, "list_egress", "{\"sandbox_id\":\"" + id + "\",\"after\":1}").facts().get("flows")).asInstanceOf(LIST).hasSize(1);
        var stranger = new Caller("k2", "acme");
        assertThatThrownBy(() -> call(stranger, "list_egress", "{\"sandbox_id\":\"" + id + "\"}")).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.SANDBOX_NOT_FOUND));
    }
}
