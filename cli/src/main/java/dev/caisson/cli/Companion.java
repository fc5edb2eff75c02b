package dev.caisson.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// Rounds of a program of this machine.
final class Companion implements Rounds {
    private final Process process;
    private final BufferedReader answers;
    private final Path errors;

    Companion(List<String> command, Map<String, String> environment) throws IOException {
        errors = Files.createTempFile("caisson-bench", ".errors");
        var builder = new ProcessBuilder(command).redirectError(errors.toFile());
        builder.environment().putAll(environment);
        process = builder.start();
        answers = process.inputReader(StandardCharsets.UTF_8);
    }

    long pid() {
        return process.pid();
    }

    @Override
    public void ask(String what) throws IOException {
        process.outputWriter(StandardCharsets.UTF_8).append(what).append('\n').flush();
    }

    @Override
    public double answer() throws IOException {
        String answer = answers.readLine();
        if (answer == null) {
            throw new CliException("a program of the measure failed: " + Files.readString(errors).strip(), "see docs/benchmarks.md");
        }
        return Double.parseDouble(answer);
    }

    @Override
    public void close() throws IOException {
        try {
            process.outputWriter(StandardCharsets.UTF_8).close();
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException _) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        Files.deleteIfExists(errors);
    }
}
