package dev.caisson.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine.ParameterException;

class RunPlanTest {
    @TempDir
    Path directory = Path.of("");

    private Path file(String name, String content) throws IOException {
        return Files.writeString(directory.resolve(name), content);
    }

    @Test
    void theShebangSaysWhatRunsAFile() throws IOException {
        assertThat(RunCommand.planOf(file("a.py", "#!/usr/bin/env node\n").toString(), "x").argv()).containsExactly("/usr/bin/env", "node", "a.py", "x");
        assertThat(RunCommand.planOf(file("b", "#! /bin/sh -eu -x \n").toString()).argv()).containsExactly("/bin/sh", "-eu -x", "b");
        assertThat(RunCommand.planOf(file("c.sh", "#!\n").toString()).argv()).containsExactly("bash", "c.sh");
    }

    @Test
    void elseTheEndingDoes() throws IOException {
        assertThat(RunCommand.planOf(file("a.py", "").toString()).argv()).containsExactly("python3", "a.py");
        assertThat(RunCommand.planOf(file("A.JS", "x").toString()).argv()).containsExactly("node", "A.JS");
        assertThat(RunCommand.planOf(file("-c.sh", "#").toString()).argv()).containsExactly("bash", "./-c.sh");
        refused("cannot tell what runs", file("a.rb", "puts 1").toString());
        refused("cannot tell what runs", file("py", "").toString());
    }

    @Test
    void whatFollowsTheFileIsItsOwn() throws IOException {
        String script = file("a.py", "").toString();
        var plan = RunCommand.planOf("-q", "--timeout", "2s", script, "--timeout", "x", "--", "-q", "--json", "@file", "'q'");
        assertThat(plan.argv()).containsExactly("python3", "a.py", "--timeout", "x", "--", "-q", "--json", "@file", "'q'");
        assertThat(plan.quiet()).isTrue();
        assertThat(plan.json()).isFalse();
        assertThat(plan.timeout()).isEqualTo(Duration.ofSeconds(2));
        assertThat(plan.in()).singleElement().satisfies(each -> assertThat(each.remote()).isEqualTo("a.py"));
    }

    @Test
    void whatFollowsTheDashesIsACommand() {
        var plan = RunCommand.planOf("--json", "--", "sh", "-c", "exit 3", "--", "a.py");
        assertThat(plan.argv()).containsExactly("sh", "-c", "exit 3", "--", "a.py");
        assertThat(plan.in()).isEmpty();
        assertThat(RunCommand.planOf("--", "--version").argv()).containsExactly("--version");
    }

    @Test
    void everyOptionReachesTheRequest() {
        var plan = RunCommand.planOf(
                "--tier", "container", "--trust", "trusted", "--template", "base", "--cpus", "0.5", "--memory", "256MiB", "--processes", "64", "--disk", "2g", "--timeout", "10s",
                "--output-limit", "1m", "--env", "A=b=c", "--env", "E=", "--user", "root", "--cwd", "/srv", "--", "true");
        assertThat(plan.sandbox().toString()).isEqualTo(
                "{\"cpus\":0.5,\"disk_bytes\":2147483648,\"lease_seconds\":70,\"memory_bytes\":268435456,\"processes\":64,\"template\":\"base\",\"tier\":\"container\",\"trust\":\"trusted\"}");
        assertThat(plan.command().toString()).contains("\"argv\":[\"true\"]", "\"cwd\":\"/srv\"", "\"env\":{\"A\":\"b=c\",\"E\":\"\"}", "\"output_limit_bytes\":1048576", "\"timeout_ms\":10000", "\"user\":\"root\"");
        assertThat(RunCommand.planOf("--tier", "microvm", "--driver", "qemu-tcg", "--accept-emulated", "--", "true").sandbox().toString())
                .as("what is accepted is no matter of a request").isEqualTo("{\"driver\":\"qemu-tcg\",\"lease_seconds\":360,\"tier\":\"microvm\"}");
        assertThat(plan.place("x/y")).isEqualTo("/srv/x/y");
        assertThat(plan.place("/x")).isEqualTo("/x");
    }

    @Test
    void theLeaseIsNeverLongerThanADay() {
        assertThat(RunCommand.planOf("--timeout", "24h", "--", "true").sandbox().toString()).contains("\"lease_seconds\":86400");
    }

    @Test
    void filesAreCheckedBeforeAnythingIsMade() throws IOException {
        refused("there is no file", "nowhere.py");
        refused("is a directory", directory.toString());
        refused("there is no file", "--file", "nowhere:x", "--", "true");
        refused("is not a regular file", "/dev/zero");
        refused("names no file in the sandbox", "--file", file("f", "") + ":", "--", "true");
        refused("there is no directory", "--get", "x:" + directory + "/none/x", "--", "true");
        refused("names no file", "--get", "/", "--", "true");
        refused("NAME=VALUE", "--env", "=x", "--", "true");
        refused("is not absolute", "--cwd", "x", "--", "true");
        refused("nothing to run");
        refused("nothing to run", "--");
        refused("there is no tier 'vm'", "--tier", "vm", "--", "true");
        refused("there is no driver 'qemu_tcg'", "--driver", "qemu_tcg", "--", "true");
        refused("there is no trust 'full'", "--trust", "full", "--", "true");
        refused("is not an amount", "--cpus", "NaN", "--", "true");
    }

    @Test
    void refusesAFileLargerThanTheDisk() throws IOException {
        var large = directory.resolve("large.py");
        try (var file = new RandomAccessFile(large.toFile(), "rw")) {
            file.setLength(33L << 20);
        }
        refused("is larger (33 MiB) than the sandbox's disk (32 MiB)", "--disk", "32m", large.toString());
        assertThat(RunCommand.planOf("--disk", "34m", large.toString()).in()).hasSize(1);
    }

    @Test
    void filesKeepTheirNamesOrGetNewOnes() throws IOException {
        var data = file("data.csv", "");
        file("a:b", "");
        var in = RunCommand.planOf("--file", data.toString(), "--file", data + ":in/x", "--file", data + ":in/", "--file", directory.resolve("a:b").toString(), "--", "true").in();
        assertThat(in.stream().map(LocalFile::remote)).containsExactly("data.csv", "in/x", "in/data.csv", "a:b");
        var out = RunCommand.planOf("--get", "out/r.json:" + directory, "--get", "/x/y:" + directory.resolve("z"), "--", "true").out();
        assertThat(out.stream().map(LocalFile::local)).isEqualTo(List.of(directory.resolve("r.json"), directory.resolve("z")));
    }

    @Test
    void wrongOptionsAreRefused() {
        assertThatThrownBy(() -> RunCommand.planOf("--memory", "lots", "--", "true")).isInstanceOf(ParameterException.class).hasMessageContaining("'lots' is not a size");
        assertThatThrownBy(() -> RunCommand.planOf("--timeout", "30", "--", "true")).isInstanceOf(ParameterException.class).hasMessageContaining("'30' is not a time");
        assertThatThrownBy(() -> RunCommand.planOf("--procesess", "3", "--", "true")).isInstanceOf(ParameterException.class).hasMessageContaining("--procesess");
    }

    private static void refused(String message, String... args) {
        assertThatThrownBy(() -> RunCommand.planOf(args)).isInstanceOfSatisfying(CliException.class, e -> {
            assertThat(e).hasMessageContaining(message);
            assertThat(e.remedy()).isNotBlank();
        });
    }
}
