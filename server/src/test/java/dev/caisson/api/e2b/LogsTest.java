package dev.caisson.api.e2b;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.SandboxId;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// A sandbox's log, both forms. The fake's commands all begin at the same time and take 12 ms.
class LogsTest {
    private static final JsonMapper JSON = new JsonMapper();

    @TempDir
    Path directory;

    private House house;
    private SandboxId id;

    @BeforeEach
    void open() {
        house = new House(directory);
        id = house.sandbox();
        for (String program : List.of("@true", "false")) {
            house.stream(id, "process.Process/Start", House.message("{\"process\":{\"cmd\":\"" + program + "\",\"args\":[\"x\"]},\"tag\":\"mine\"}")).messages();
        }
    }

    @AfterEach
    void close() {
        house.close();
    }

    private JsonNode ask(String path, String query) {
        return JSON.readTree(house.send(house.control(path + query)).is(200).body());
    }

    private List<JsonNode> entries(String query) {
        return ask("/v2/sandboxes/" + id + "/logs", query).get("logs").valueStream().toList();
    }

    private static List<String> messages(List<JsonNode> entries) {
        return texts(entries, "message");
    }

    private static List<String> texts(List<JsonNode> entries, String key) {
        return entries.stream().map(entry -> entry.get(key).asString()).toList();
    }

    private static Instant time(JsonNode entry) {
        return Instant.parse(entry.get("timestamp").asString());
    }

    @Test
    void saysWhatWasMadeStartedAndEnded() {
        var all = entries("");
        assertThat(messages(all)).hasSize(5).contains("command c1 started: @true x", "command c1 ended: exited, status 0", "command c2 started: false x", "command c2 ended: exited, status 1")
                .anyMatch(message -> message.startsWith("sandbox " + id + " was made of template base"));
        assertThat(all).extracting(LogsTest::time).isSorted();
        var ended = all.stream().filter(entry -> entry.get("message").asString().startsWith("command c2 ended")).findFirst().orElseThrow();
        assertThat(ended.get("level").asString()).isEqualTo("warn");
        assertThat(ended.get("fields").propertyStream().map(field -> field.getKey() + "=" + field.getValue().asString())).contains("event=ended", "command=c2", "status=1", "outcome=exited", "tag=mine");
    }

    @Test
    void takesACursorADirectionALimitALevelAndAWord() {
        var all = messages(entries(""));
        assertThat(messages(entries("?limit=2"))).isEqualTo(all.subList(0, 2));
        assertThat(messages(entries("?direction=backward&limit=1"))).hasSize(1).allMatch(message -> message.contains(" ended: "));
        assertThat(messages(entries("?level=warn"))).containsExactly("command c2 ended: exited, status 1");
        assertThat(messages(entries("?search=c1"))).allMatch(message -> message.contains("c1")).hasSize(2);
        long last = time(entries("").getLast()).toEpochMilli();
        assertThat(entries("?cursor=" + (last + 1))).isEmpty();
        assertThat(entries("?cursor=" + last)).isNotEmpty();
        assertThat(entries("?direction=backward&cursor=0")).isEmpty();
    }

    @Test
    void theOlderFormSaysTheSame() {
        var answer = ask("/sandboxes/" + id + "/logs", "?limit=3");
        assertThat(texts(answer.get("logs").valueStream().toList(), "line")).isEqualTo(messages(entries("?limit=3")));
        assertThat(messages(answer.get("logEntries").valueStream().toList())).isEqualTo(messages(entries("?limit=3")));
        assertThat(ask("/sandboxes/" + id + "/logs", "?start=9999999999999").get("logs")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"?direction=up", "?level=loud", "?limit=0", "?limit=1001", "?cursor=-1", "?cursor=x", "?limit=1&limit=2"})
    void whatCannotBeMeantIsRefused(String query) {
        house.send(house.control("/v2/sandboxes/" + id + "/logs" + query)).refused(400);
    }
}
