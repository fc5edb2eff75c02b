package dev.caisson.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/// The examples of docs/sdk.md: they compile here, and the test sees that both are the same.
class ExampleTest {
    // example
    static void example(Caisson caisson) throws IOException {
        var options = SandboxOptions.defaults().withMemory(256L << 20).withLease(Duration.ofMinutes(2));
        try (var sandbox = caisson.create(options)) {
            sandbox.files().write("data.csv", "1,2\n3,4\n".getBytes(StandardCharsets.UTF_8));

            var result = sandbox.run("python3", "-c", "print(sum(int(x) for line in open('data.csv') for x in line.split(',')))");
            System.out.println(result.status() + ": " + result.stdoutText());

            // Output as it comes, input as it is read; a stream that breaks is taken up at the byte.
            try (var sort = sandbox.start(CommandOptions.of("sort").withInput().withTimeout(Duration.ofSeconds(10)))) {
                var input = new ByteArrayInputStream("b\na\n".getBytes(StandardCharsets.UTF_8));
                Thread.ofVirtual().start(() -> sort.sendInput(input));
                sort.await(bytes -> System.out.print(StandardCharsets.UTF_8.decode(bytes)), Output.NONE);
            }

            var receipt = sandbox.delete();
            System.out.println(receipt.id() + " used " + receipt.usage().cpu() + ", leaks " + receipt.leaks());
        } catch (CaissonException e) {
            System.err.println(e.code() + ": " + e.message() + " (" + e.remedy() + ")");
        }
    }
    // end of example

    // way out
    static void wayOut(Caisson caisson, String token) {
        var options = SandboxOptions.defaults().withAllow("*.example.com", "db.example.org:5432/tcp").withSecret("TOKEN", token, "api.example.com");
        try (var sandbox = caisson.create(options)) {
            sandbox.run("sh", "-c", "curl -sS -H \"Authorization: Bearer $TOKEN\" https://api.example.com/");
            sandbox.setEgress(EgressOptions.none());
            sandbox.flows(0, 100).forEach(flow -> System.out.println(flow.host() + ":" + flow.port() + (flow.allowed() ? "" : " denied by " + flow.rule())));
        }
    }
    // end of way out

    @Test
    void theDocumentShowsTheseExamples() throws IOException {
        var source = Files.readAllLines(Path.of("src/test/java/dev/caisson/client/ExampleTest.java"));
        var document = Files.readAllLines(Path.of("../docs/sdk.md"));
        assertThat(region(document, "```java", "```")).isEqualTo(unindented(region(source, "    // example", "    // end of example"))).isNotEmpty();
        var rest = document.subList(document.indexOf("```java") + 1, document.size());
        assertThat(region(rest, "```java", "```")).isEqualTo(unindented(region(source, "    // way out", "    // end of way out"))).isNotEmpty();
    }

    private static List<String> unindented(List<String> lines) {
        return lines.stream().map(line -> line.isEmpty() ? line : line.substring(4)).toList();
    }

    private static List<String> region(List<String> lines, String from, String to) {
        var rest = lines.subList(lines.indexOf(from) + 1, lines.size());
        return rest.subList(0, rest.indexOf(to));
    }
}
