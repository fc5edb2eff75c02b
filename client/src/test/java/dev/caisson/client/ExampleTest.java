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

/// The example of docs/sdk.md: it compiles here, and the test sees that both are the same.
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

    @Test
    void theDocumentShowsThisExample() throws IOException {
        var source = region(Files.readAllLines(Path.of("src/test/java/dev/caisson/client/ExampleTest.java")), "    // example", "    // end of example");
        var shown = region(Files.readAllLines(Path.of("../docs/sdk.md")), "```java", "```");
        assertThat(shown).isEqualTo(source.stream().map(line -> line.isEmpty() ? line : line.substring(4)).toList()).isNotEmpty();
    }

    private static List<String> region(List<String> lines, String from, String to) {
        var rest = lines.subList(lines.indexOf(from) + 1, lines.size());
        return rest.subList(0, rest.indexOf(to));
    }
}
