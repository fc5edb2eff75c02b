package dev.caisson.cli;

import dev.caisson.client.SandboxOptions;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// `--secret NAME=env:VAR@HOST[,HOST...]` and `NAME=file:PATH@HOST[,HOST...]`. What stands behind the `=` is never said again: it may be the value itself, by mistake.
record SecretWish(String name, String value, List<String> hosts) {
    private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_]{0,127}");
    private static final long MOST_BYTES = 16 * 1024;
    private static final String FORM = "write it like --secret TOKEN=env:TOKEN@api.example.com or --secret TOKEN=file:PATH@api.example.com";

    /// @param variables of this process: a name to its value, or null
    static SecretWish parse(String text, UnaryOperator<@Nullable String> variables) {
        int equals = text.indexOf('=');
        String name = equals < 0 ? "" : text.substring(0, equals);
        if (!NAME.matcher(name).matches()) {
            throw new CliException("--secret does not begin with the name of a variable and a =", FORM);
        }
        String source = text.substring(equals + 1);
        int at = source.lastIndexOf('@');
        String place = at < 0 ? source : source.substring(0, at);
        if (!place.startsWith("env:") && !place.startsWith("file:")) {
            throw new CliException("--secret " + name + " has its value on the command line, where everybody on this machine can read it in the list of processes", FORM);
        }
        if (at < 0 || at == source.length() - 1) {
            throw new CliException("--secret " + name + " names no host that it is for", FORM);
        }
        String value = place.startsWith("env:") ? ofVariable(name, place.substring(4), variables) : ofFile(name, place.substring(5));
        if (value.isEmpty()) {
            throw new CliException("--secret " + name + " is empty", "put the value there first");
        }
        return new SecretWish(name, value, List.of(source.substring(at + 1).split(",", -1)));
    }

    private static String ofVariable(String name, String variable, UnaryOperator<@Nullable String> variables) {
        if (!NAME.matcher(variable).matches()) {
            throw new CliException("--secret " + name + " names no variable after env:", FORM);
        }
        String value = variables.apply(variable);
        if (value == null) {
            throw new CliException("--secret " + name + ": the variable " + variable + " is not set", "export it first, or use file:PATH");
        }
        return value;
    }

    /// Without the line end that editors leave at the end of a file.
    private static String ofFile(String name, String file) {
        var path = LocalFile.path(file);
        try {
            if (!Files.isRegularFile(path)) {
                throw new CliException("--secret " + name + ": there is no file " + file, "name the file that holds the value");
            }
            if (Files.size(path) > MOST_BYTES + 2) {
                throw new CliException("--secret " + name + ": " + file + " is larger than 16 KiB", "a secret is at most that long");
            }
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(Files.readAllBytes(path))).toString().replaceFirst("\\r?\\n\\z", "");
        } catch (CharacterCodingException e) {
            throw new CliException("--secret " + name + ": " + file + " is not UTF-8", "encode it, for example as base64", e);
        } catch (IOException e) {
            throw new CliException("--secret " + name + ": cannot read " + file, "make it readable", e);
        }
    }

    SandboxOptions in(SandboxOptions options) {
        return options.withSecret(name, value, hosts.toArray(String[]::new));
    }

    /// Without the value.
    @Override
    public String toString() {
        return "SecretWish[" + name + " " + hosts + "]";
    }
}
