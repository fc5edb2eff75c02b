package dev.caisson.api.e2b;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.SandboxId;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What a create of E2B's clients asks of the engine.
class CreateTest {
    @TempDir
    Path directory;

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            PRIVATE | {} | false
            PRIVATE | {"network":{}} | false
            PRIVATE | {"network":{"allowPublicTraffic":true}} | true
            PUBLIC | {} | true
            PUBLIC | {"network":{}} | true
            PUBLIC | {"network":{"allowPublicTraffic":false}} | false
            """)
    void portsAreAsTheMakerSaysElseAsTheOperatorDid(E2bSettings.Ports operator, String body, boolean open) {
        try (var house = new House(directory, E2bSettings.DEFAULT.with(operator))) {
            var id = new SandboxId(house.send(house.control("/v2/sandboxes").POST(BodyPublishers.ofString(body))).is(201).json().text("sandboxID"));
            assertThat(house.sandboxes.get(id).spec().publicPorts()).isEqualTo(open);
        }
    }
}
