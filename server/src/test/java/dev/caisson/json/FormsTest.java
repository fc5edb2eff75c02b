package dev.caisson.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandResult;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.Cpus;
import dev.caisson.sandbox.DriverInfo;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileEvent;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.NodeStatus;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.Resource;
import dev.caisson.sandbox.ResourceKind;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.TemplateInfo;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.TerminalSize;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import dev.caisson.sandbox.Usage;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class FormsTest {
    private static final SandboxId ID = new SandboxId("sbabcdefghijklmnopqr");
    private static final Instant TIME = Instant.parse("2026-02-03T04:05:06.789012345Z");
    private static final String ODD = "\"\\\u0001\n€ 𝄞 \uFFFD";
    private static final Limits LIMITS = new Limits(new Cpus(1_234), ByteSize.mib(100), 99, new ByteSize(ByteSize.mib(16).bytes() + 1), 333);
    private static final SandboxSpec SPEC = new SandboxSpec(
            new TemplateName("py-3.13"), Trust.TRUSTED, Tier.CONTAINER, LIMITS, Duration.ofMillis(90_500), Map.of("A", "1", ODD, ODD), Map.of("job", "17"));
    private static final CommandResult RESULT = new CommandResult(CommandResult.Outcome.OUT_OF_MEMORY, 137, Duration.ofNanos(1_234_567_891L), Duration.ofMillis(3));
    private static final Resource RESOURCE = new Resource(ResourceKind.NETWORK_NAMESPACE, "/var/lib/" + ODD);

    @Test
    void everyRecordComesBackAsItWent() {
        same(Forms.LIMITS, LIMITS);
        same(Forms.LIMITS, Limits.DEFAULT);
        same(Forms.SANDBOX_SPEC, SPEC);
        same(Forms.SANDBOX_SPEC, SandboxSpec.defaults());
        same(Forms.SANDBOX_SPEC, SPEC.withTenant("acme").withIdempotencyKey("a_B-9").withOnLeaseEnd(SandboxSpec.OnLeaseEnd.PAUSE));
        same(Forms.TEMPLATE_INFO, new TemplateInfo(TemplateName.BASE, Optional.of("sha256:ab"), ByteSize.mib(3), LIMITS, "serve", 80));
        same(Forms.TEMPLATE_INFO, new TemplateInfo(TemplateName.BASE, Optional.empty(), new ByteSize(0), LIMITS, "", 0));
        for (SandboxState state : SandboxState.values()) {
            same(Forms.SANDBOX_INFO, new SandboxInfo(ID, SPEC, state, "sha256:ab", TIME, TIME.plusSeconds(300), 71));
        }
        same(Forms.USAGE, new Usage(ByteSize.mib(3), Duration.ofNanos(7)));
        same(Forms.USAGE, Usage.NONE);
        for (ResourceKind kind : ResourceKind.values()) {
            same(Forms.RESOURCE, new Resource(kind, "/x"));
        }
        same(Forms.RESOURCE, RESOURCE);
        for (EndReason reason : EndReason.values()) {
            same(Forms.RECEIPT, new Receipt(
                    ID, TemplateName.BASE, Tier.MICROVM, Optional.of(DriverName.QEMU_TCG), Trust.REVIEWED, "sha256:cd", TIME, TIME.plusNanos(1), reason, Usage.NONE,
                    Map.of("memory", 2L, "network", Long.MAX_VALUE),
                    List.of(new Receipt.Check(RESOURCE, true, ""), new Receipt.Check(new Resource(ResourceKind.MOUNT, "/m"), false, "busy")), "keeper", "acme"));
        }
        same(Forms.NODE_STATUS, new NodeStatus(
                1, 6, 2, 3, 4, 5, List.of(DriverInfo.unfit(DriverName.FIRECRACKER, "firecracker", "no /dev/kvm"), DriverInfo.beingTried(DriverName.QEMU, "qemu", "ask again"), DriverInfo.fit(DriverName.QEMU_TCG, "qemu"), DriverInfo.fit(DriverName.GVISOR, "runsc")),
                ByteSize.mib(77)));
        for (DriverName driver : DriverName.values()) {
            var spec = new SandboxSpec(TemplateName.BASE, Trust.TRUSTED, driver.tier(), LIMITS, Duration.ofSeconds(5), Map.of(), Map.of()).withDriver(driver);
            same(Forms.SANDBOX_SPEC, spec);
        }
        same(Forms.TERMINAL_SIZE, new TerminalSize(80, 24));
        same(Forms.COMMAND_SPEC, CommandSpec.of("echo", ODD));
        same(Forms.COMMAND_SPEC, CommandSpec.of("echo").withBatched());
        same(Forms.COMMAND_SPEC, new CommandSpec(
                List.of("sh", "", "-c"), Map.of("K", "v"), "/tmp", "root", Optional.of(new TerminalSize(132, 50)), Duration.ofNanos(1_500_001), new ByteSize(10), true));
        for (CommandResult.Outcome outcome : CommandResult.Outcome.values()) {
            same(Forms.COMMAND_RESULT, new CommandResult(outcome, 0, Duration.ZERO, Duration.ofDays(2)));
        }
        same(Forms.COMMAND_INFO, new CommandInfo(CommandId.of(9), List.of("a", "b"), 12, TIME, Optional.empty(), "/srv", Map.of("A", "b"), "t", true));
        same(Forms.COMMAND_INFO, new CommandInfo(CommandId.of(9), List.of("a", "b"), 12, TIME, Optional.of(RESULT), "", Map.of(), "", false));
        same(Forms.COMMAND_EVENT, new CommandEvent.Started(CommandId.of(3), 44));
        same(Forms.COMMAND_EVENT, new CommandEvent.Output(CommandEvent.Channel.STDERR, 1L << 40, ByteBuffer.allocate(0)));
        same(Forms.COMMAND_EVENT, new CommandEvent.Ended(RESULT));
        for (FileInfo.Kind kind : FileInfo.Kind.values()) {
            same(Forms.FILE_INFO, new FileInfo("n", "/d/n", "", kind, 5, 04755, "user", "user", TIME, "", Optional.empty(), Map.of("k", "v")));
        }
        same(Forms.FILE_INFO, new FileInfo("n\uFFFD", "/d/n\uFFFD", "bv8=", FileInfo.Kind.SYMLINK, 0, 0, "root", "root", TIME, "../x", Optional.of(new FileInfo.Target("/x", FileInfo.Kind.DIRECTORY, 4096, 0755)), Map.of()));
        for (FileEvent.Kind kind : FileEvent.Kind.values()) {
            same(Forms.FILE_EVENT, new FileEvent(kind, "a/b"));
        }
        for (Failure.Code code : Failure.Code.values()) {
            same(Forms.FAILURE, new Failure(code, "the " + ODD, "do " + ODD));
        }
    }

    @Test
    void spellsTheWayTheDocumentSays() {
        assertThat(text(Forms.SANDBOX_SPEC, SPEC)).startsWith(
                "{\"template\":\"py-3.13\",\"trust\":\"trusted\",\"tier\":\"container\",\"cpus\":1.234,\"memory_bytes\":104857600,"
                        + "\"processes\":99,\"disk_bytes\":16777217,\"open_files\":333,\"lease_seconds\":90.5,");
        assertThat(text(Forms.COMMAND_RESULT, RESULT)).isEqualTo("{\"outcome\":\"out-of-memory\",\"status\":137,\"wall_ms\":1234.567891,\"cpu_ms\":3}");
        assertThat(text(Forms.LIMITS, Limits.DEFAULT)).contains("\"cpus\":1,");
        assertThat(text(Forms.USAGE, new Usage(ByteSize.mib(1), Duration.ofSeconds(300)))).contains("\"cpu_ms\":300000");
    }

    @Test
    void whatTheRecordRefusesComesThroughAsItIs() {
        String weak = text(Forms.SANDBOX_SPEC, SPEC).replace("\"trusted\"", "\"untrusted\"");
        refused(Forms.SANDBOX_SPEC, weak, Failure.Code.TIER_TOO_WEAK, "untrusted code may not run in tier container");
        refused(Forms.COMMAND_SPEC, "{}", Failure.Code.BAD_REQUEST, "no command given");
        refused(Forms.TERMINAL_SIZE, "{\"columns\":0,\"rows\":1}", Failure.Code.OUT_OF_RANGE, "1 to 4096");
    }

    @Test
    void aReceiptThatContradictsItselfIsRefused() {
        var receipt = new Receipt(ID, TemplateName.BASE, Tier.GVISOR, Optional.empty(), Trust.UNTRUSTED, "d", TIME, TIME, EndReason.DELETED, Usage.NONE, Map.of(), List.of(), "keeper", "default");
        refused(Forms.RECEIPT, text(Forms.RECEIPT, receipt).replace("\"leaks\":0", "\"leaks\":1"), Failure.Code.BAD_REQUEST, "says 1 leaks");
    }

    /// Rows and receipts of earlier versions.
    @Test
    void whatDidNotNameATenantIsOfTheDefaultOne() {
        var receipt = new Receipt(ID, TemplateName.BASE, Tier.GVISOR, Optional.empty(), Trust.UNTRUSTED, "d", TIME, TIME, EndReason.DELETED, Usage.NONE, Map.of(), List.of(), "keeper", "acme");
        String old = text(Forms.RECEIPT, receipt).replace("\"tenant\":\"acme\",", "");
        assertThat(old).doesNotContain("tenant");
        assertThat(Forms.RECEIPT.read(old.getBytes(StandardCharsets.UTF_8)).tenant()).isEqualTo(SandboxSpec.DEFAULT_TENANT);
        String spec = text(Forms.SANDBOX_SPEC, SPEC).replace(",\"tenant\":\"default\",\"on_lease_end\":\"delete\"", "");
        assertThat(spec).doesNotContain("tenant", "on_lease_end");
        assertThat(Forms.SANDBOX_SPEC.read(spec.getBytes(StandardCharsets.UTF_8))).isEqualTo(SPEC);
    }

    @Test
    void whatRanInAnEmulatedWallSaysSoAndNothingElseDoes() {
        String emulated = "\"driver\":\"qemu-tcg\",\"isolation\":\"emulated: not a security boundary\"";
        var spec = new SandboxSpec(TemplateName.BASE, Trust.UNTRUSTED, Tier.MICROVM, LIMITS, Duration.ofSeconds(5), Map.of(), Map.of());
        assertThat(text(Forms.SANDBOX_SPEC, spec.withDriver(DriverName.QEMU_TCG))).contains("\"tier\":\"microvm\"," + emulated);
        assertThat(text(Forms.SANDBOX_SPEC, spec.withDriver(DriverName.QEMU))).contains("\"tier\":\"microvm\",\"driver\":\"qemu\"").doesNotContain("isolation");
        assertThat(text(Forms.SANDBOX_SPEC, spec)).doesNotContain("driver", "isolation");
        var receipt = new Receipt(ID, TemplateName.BASE, Tier.MICROVM, Optional.of(DriverName.QEMU_TCG), Trust.UNTRUSTED, "d", TIME, TIME, EndReason.DELETED, Usage.NONE, Map.of(), List.of(), "keeper", "acme");
        assertThat(text(Forms.RECEIPT, receipt)).contains("\"tier\":\"microvm\"," + emulated);
        var status = new NodeStatus(0, 0, 0, 0, 0, 0, List.of(DriverInfo.fit(DriverName.QEMU_TCG, "qemu"), DriverInfo.fit(DriverName.GVISOR, "runsc")), ByteSize.mib(1));
        assertThat(text(Forms.NODE_STATUS, status)).as("what is only emulated is no tier that it gives").contains("\"tiers\":[\"gvisor\"]", "\"name\":\"qemu-tcg\",\"tier\":\"microvm\",\"isolation\":\"emulated: not a security boundary\"");
    }

    /// Receipts of before drivers had names.
    @Test
    void aReceiptThatNamesNoDriverIsRead() {
        var receipt = new Receipt(ID, TemplateName.BASE, Tier.GVISOR, Optional.of(DriverName.GVISOR), Trust.UNTRUSTED, "d", TIME, TIME, EndReason.DELETED, Usage.NONE, Map.of(), List.of(), "keeper", "acme");
        String old = text(Forms.RECEIPT, receipt).replace("\"driver\":\"gvisor\",", "");
        assertThat(old).doesNotContain("driver");
        assertThat(Forms.RECEIPT.read(old.getBytes(StandardCharsets.UTF_8)).driver()).isEmpty();
    }

    @Test
    void refusesByName() {
        refused(Forms.TERMINAL_SIZE, "{\"columns\":1,\"rows\":2,\"colour\":3}", Failure.Code.BAD_REQUEST, "unknown key 'colour'");
        refused(Forms.TERMINAL_SIZE, "{\"columns\":1,\"rows\":2,\"rows\":3}", Failure.Code.BAD_REQUEST, "the key 'rows' is there twice");
        refused(Forms.TERMINAL_SIZE, "{\"columns\":1}", Failure.Code.BAD_REQUEST, "'rows' is missing");
        refused(Forms.TERMINAL_SIZE, "{\"columns\":1,\"rows\":null}", Failure.Code.BAD_REQUEST, "'rows' is missing");
        refused(Forms.TERMINAL_SIZE, "{\"columns\":1,\"rows\":\"2\"}", Failure.Code.BAD_REQUEST, "'rows' must be a number, not a text");
        refused(Forms.TERMINAL_SIZE, "{\"columns\":1,\"rows\":2.5}", Failure.Code.BAD_REQUEST, "'rows' must be a whole number");
        refused(Forms.TERMINAL_SIZE, "{\"columns\":1,\"rows\":1e18}", Failure.Code.OUT_OF_RANGE, "'rows' must be");
        refused(Forms.COMMAND_SPEC, "{\"argv\":[\"a\",1]}", Failure.Code.BAD_REQUEST, "'argv[1]' must be a text, not a number");
        refused(Forms.COMMAND_SPEC, "{\"argv\":[\"a\"],\"terminal\":{\"columns\":1,\"rows\":1,\"x\":1}}", Failure.Code.BAD_REQUEST, "unknown key 'terminal.x'");
        refused(Forms.COMMAND_SPEC, "{\"argv\":[\"a\"],\"timeout_ms\":-1}", Failure.Code.OUT_OF_RANGE, "'timeout_ms'");
        refused(Forms.COMMAND_SPEC, "{\"argv\":[\"a\"],\"timeout_ms\":1e19}", Failure.Code.OUT_OF_RANGE, "'timeout_ms'");
        refused(Forms.COMMAND_SPEC, "{\"argv\":[\"a\"],\"env\":[]}", Failure.Code.BAD_REQUEST, "'env' must be an object, not a list");
        refused(Forms.COMMAND_RESULT, "{\"outcome\":\"gone\"}", Failure.Code.BAD_REQUEST, "'outcome' cannot be 'gone'");
    }

    @Test
    void refusesAnythingButStrictJson() {
        for (String bad : List.of(
                "", "  ", "{", "[]", "1", "null", "nul", "{}{}", "{} x", "{a:1}", "{'a':1}", "{\"a\":NaN}", "{\"a\":Infinity}", "{\"a\":01}", "{\"a\":+1}", "{\"a\":.5}",
                "{\"a\":1,}", "{,}", "// x\n{}", "{\"a\":\"\t\"}", "{\"a\":\"\\ud800\"}", "{\"\\udc00\":1}", "{\"a\":\"\\x\"}", "\uFEFF{}", "{\"a\":tru}",
                "{\"a\":" + "9".repeat(41) + "}", "{\"a\":1e99999999999}", "{\"a\":" + "[".repeat(17) + "]".repeat(17) + "}", "{\"a\":" + "[".repeat(100_000))) {
            refused(Forms.TERMINAL_SIZE, bad, Failure.Code.BAD_REQUEST, "");
        }
        for (byte[] bad : List.of(new byte[] {'{', '"', (byte) 0xC0, (byte) 0x80, '"', ':', '1', '}'}, "{}".getBytes(StandardCharsets.UTF_16), new byte[] {0})) {
            assertThatThrownBy(() -> JsonObject.parse(bad)).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.BAD_REQUEST));
        }
    }

    @Test
    void hugeExponentsCostNothing() {
        refused(Forms.TERMINAL_SIZE, "{\"columns\":1e999999999,\"rows\":1}", Failure.Code.OUT_OF_RANGE, "'columns'");
        refused(Forms.TERMINAL_SIZE, "{\"columns\":1e-999999999,\"rows\":1}", Failure.Code.OUT_OF_RANGE, "'columns'");
        refused(Forms.TERMINAL_SIZE, "{\"columns\":0e999999999,\"rows\":1}", Failure.Code.OUT_OF_RANGE, "columns");
    }

    private static <T> void same(Form<T> form, T value) {
        assertThat(form.read(form.bytes(value))).isEqualTo(value);
    }

    private static <T> String text(Form<T> form, T value) {
        return new String(form.bytes(value), StandardCharsets.UTF_8);
    }

    private static void refused(Form<?> form, String document, Failure.Code code, String says) {
        assertThatThrownBy(() -> form.read(document.getBytes(StandardCharsets.UTF_8)))
                .as(document.length() > 100 ? document.substring(0, 100) : document)
                .isInstanceOfSatisfying(SandboxException.class, e -> {
                    assertThat(e.code()).isEqualTo(code);
                    assertThat(e.failure().message()).contains(says);
                });
    }
}
