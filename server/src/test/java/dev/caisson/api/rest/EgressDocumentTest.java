package dev.caisson.api.rest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What docs/egress.md shows is taken as it stands there.
class EgressDocumentTest {
    private static final Path DOCUMENT = Path.of("../docs/egress.md");

    @TempDir
    Path directory;

    private static List<String> found(String pattern) throws IOException {
        return Pattern.compile(pattern, Pattern.DOTALL).matcher(Files.readString(DOCUMENT)).results().map(match -> match.group(1)).toList();
    }

    @Test
    void everyBodyMakesASandbox() throws IOException {
        try (var house = new House(directory)) {
            var bodies = found("```json\n(.*?)```");
            assertThat(bodies).hasSizeGreaterThanOrEqualTo(3);
            for (String body : bodies) {
                house.post("/v1/sandboxes", body).is(201);
            }
        }
    }

    @Test
    void everyWayToWriteAHostIsTaken() throws IOException {
        try (var house = new House(directory)) {
            var cells = found("\n\\| (`[^|]*) \\|");
            assertThat(cells).hasSizeGreaterThanOrEqualTo(6);
            for (String cell : cells) {
                for (String text : cell.replace("`…/http`", "`api.example.com:443/http`").split(", ")) {
                    house.post("/v1/sandboxes", "{\"egress\":{\"allow\":[\"" + text.replace("`", "") + "\"]}}").is(201);
                }
            }
        }
    }
}
