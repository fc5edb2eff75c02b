package dev.caisson.limits;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.CommandEvent;
import dev.caisson.sandbox.CommandId;
import dev.caisson.sandbox.CommandInfo;
import dev.caisson.sandbox.CommandSpec;
import dev.caisson.sandbox.CommandSpec.Unread;
import dev.caisson.sandbox.CommandStream;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.FileInfo;
import dev.caisson.sandbox.Files;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Shell;
import java.io.ByteArrayInputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Commands that several attach to or nobody does, input by a call, and what files tell, in both walls.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class CommandStreamsTest {
    @RegisterExtension
    static final Installation CAISSON = new Installation();

    private static CommandSpec spec(Unread unread, String script) {
        return new CommandSpec(
                List.of("bash", "-c", script), Map.of("A", "b"), "/tmp", "", Optional.empty(), Duration.ofMinutes(2), ByteSize.gib(1), true, "tag of " + unread, unread, false);
    }

    private static CommandId started(CommandStream stream) throws InterruptedException {
        return ((CommandEvent.Started) stream.next()).id();
    }

    private static CommandInfo info(Shell shell, CommandId id) {
        return CAISSON.node().commands(shell.id()).stream().filter(command -> command.id().equals(id)).findFirst().orElseThrow();
    }

    private static ByteBuffer bytes(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    }

    private static void fails(Failure.Code code, ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void allWhoAreAttachedGetTheSame(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        try (var first = CAISSON.node().run(shell.id(), spec(Unread.HOLD, "echo begin; read line; echo $line; seq 1 300000; cat"))) {
            var id = started(first);
            assertThat(((CommandEvent.Output) first.next()).data().remaining()).isEqualTo(6);
            try (var second = CAISSON.node().attach(shell.id(), id, 0, 0); var late = CAISSON.node().attach(shell.id(), id, CommandStream.FROM_NOW, CommandStream.FROM_NOW)) {
                started(second);
                started(late);
                assertThat(info(shell, id)).satisfies(command -> {
                    assertThat(command.cwd()).isEqualTo("/tmp");
                    assertThat(command.env()).isEqualTo(Map.of("A", "b"));
                    assertThat(command.tag()).isEqualTo("tag of HOLD");
                    assertThat(command.terminal()).isFalse();
                });
                CAISSON.node().input(shell.id(), id, bytes("by a call\n"), false);
                second.write(bytes("by the second\n"));
                var collected = new Shell.Ran[2];
                Thread other = Thread.ofVirtual().start(() -> collected[0] = collect(second));
                Thread third = Thread.ofVirtual().start(() -> collected[1] = collect(late));
                CAISSON.node().input(shell.id(), id, ByteBuffer.allocate(0), true);
                var ran = Shell.collect(first);
                other.join();
                third.join();
                assertThat(ran.status()).isZero();
                assertThat(ran.out()).startsWith("by a call\n1\n2\n").endsWith("\n300000\nby the second\n");
                assertThat(collected[0].out()).isEqualTo("begin\n" + ran.out());
                assertThat(collected[1].out()).isEqualTo(ran.out());
            }
            fails(Failure.Code.WRONG_STATE, () -> CAISSON.node().input(shell.id(), id, bytes("too late"), false));
            // Whoever comes late hears the end.
            try (var after = CAISSON.node().attach(shell.id(), id, CommandStream.FROM_NOW, CommandStream.FROM_NOW)) {
                assertThat(Shell.collect(after)).satisfies(ran -> assertThat(ran.status()).isZero()).satisfies(ran -> assertThat(ran.out()).isEmpty());
            }
            assertThat(info(shell, id)).satisfies(command -> assertThat(command.result()).isPresent()).satisfies(command -> assertThat(command.env()).isEmpty());
        }
    }

    private static Shell.Ran collect(CommandStream stream) {
        try {
            return Shell.collect(stream);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void outputThatIsDroppedNeverStopsACommandAndOutputThatIsHeldDoes(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        CommandId dropping;
        CommandId holding;
        try (var stream = CAISSON.node().run(shell.id(), spec(Unread.DROP, "head -c 100000000 /dev/zero; echo the end; exit 5"))) {
            dropping = started(stream);
        }
        try (var stream = CAISSON.node().run(shell.id(), spec(Unread.HOLD, "head -c 20000000 /dev/zero; exit 6"))) {
            holding = started(stream);
        }
        long until = System.nanoTime() + Duration.ofMinutes(1).toNanos();
        while (info(shell, dropping).result().isEmpty()) {
            assertThat(System.nanoTime()).as("it ends").isLessThan(until);
            Thread.sleep(50);
        }
        assertThat(info(shell, dropping).result().orElseThrow().status()).isEqualTo(5);
        fails(Failure.Code.OUTPUT_LOST, () -> CAISSON.node().attach(shell.id(), dropping, 0, 0));
        try (var kept = CAISSON.node().attach(shell.id(), dropping, CommandStream.FROM_KEPT, CommandStream.FROM_KEPT)) {
            started(kept);
            var first = (CommandEvent.Output) kept.next();
            assertThat(first.offset()).as("counted from the command's start").isBetween(90_000_000L, 100_000_000L);
            var rest = Shell.collect(kept);
            assertThat(rest.out()).endsWith("the end\n");
            assertThat(rest.status()).isEqualTo(5);
        }
        assertThat(info(shell, holding).result()).as("it waits").isEmpty();
        try (var stream = CAISSON.node().attach(shell.id(), holding, 0, 0)) {
            var ran = Shell.collect(stream);
            assertThat(ran.out()).hasSize(20_000_000);
            assertThat(ran.status()).isEqualTo(6);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void whatAProcessStartsWith(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        var missing = new CommandSpec(List.of("true"), Map.of(), "/no/such", "", Optional.empty(), Duration.ofMinutes(1), ByteSize.mib(1), false);
        assertThatThrownBy(() -> CAISSON.node().run(shell.id(), missing)).isInstanceOfSatisfying(SandboxException.class, e -> {
            assertThat(e.code()).isEqualTo(Failure.Code.BAD_REQUEST);
            assertThat(e.failure().message()).contains("/no/such").contains("does not exist");
        });
        fails(Failure.Code.PROGRAM_NOT_FOUND, () -> shell.run("no-such-program"));
        fails(Failure.Code.USER_NOT_FOUND, () -> shell.run(Duration.ofMinutes(1), "nobody-here", "true"));
        assertThat(shell.bash("echo $HOME $USER $LOGNAME; pwd; [[ $(id -G) == $(id -G \"$USER\") ]] && echo groups; echo $PATH").out())
                .startsWith("/home/user user user\n/home/user\ngroups\n/").contains("/usr/bin");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void filesTellTheirMetadataAndWhereLinksLead(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        var files = CAISSON.node().files(shell.id());
        var set = Map.of("kind", "a test", "k".repeat(246), "v".repeat(100));
        assertThat(write(files, "deep/er/file", set).metadata()).isEqualTo(set);
        assertThat(files.stat("deep/er/file", "").metadata()).isEqualTo(set);
        assertThat(files.list("deep", "", 3)).filteredOn(info -> info.kind() == FileInfo.Kind.FILE).singleElement().satisfies(info -> assertThat(info.metadata()).isEqualTo(set));
        assertThat(files.rename("deep/er/file", "deep/moved", "").metadata()).isEqualTo(set);
        assertThat(write(files, "deep/moved", Map.of("other", "")).metadata()).isEqualTo(Map.of("other", ""));
        assertThat(write(files, "deep/moved", Map.of()).metadata()).isEmpty();
        fails(Failure.Code.BAD_REQUEST, () -> write(files, "x", Map.of("k".repeat(247), "")));
        fails(Failure.Code.BAD_REQUEST, () -> write(files, "x", Map.of("k", "v".repeat(4096))));
        fails(Failure.Code.BAD_REQUEST, () -> write(files, "x", Map.of("", "v")));

        assertThat(shell.bash("ln -s deep d; ln -s d/moved there; ln -s nowhere broken; ln -s loop loop; ln deep/moved hard; chmod 751 deep").status()).isZero();
        assertThat(files.stat("there", "")).satisfies(link -> {
            assertThat(link.kind()).isEqualTo(FileInfo.Kind.SYMLINK);
            assertThat(link.linkTarget()).isEqualTo("d/moved");
            assertThat(link.target()).contains(new FileInfo.Target("/home/user/deep/moved", FileInfo.Kind.FILE, 4, 0644));
        });
        assertThat(files.stat("d", "").target().orElseThrow()).satisfies(target -> assertThat(target.kind()).isEqualTo(FileInfo.Kind.DIRECTORY)).satisfies(target -> assertThat(target.mode()).isEqualTo(0751));
        assertThat(files.stat("broken", "").target()).isEmpty();
        assertThat(files.stat("loop", "").target()).isEmpty();
        // A hard link stays one, and carries what was written.
        files.write("hard", "", -1, Map.of("h", "1"), new ByteArrayInputStream("longer".getBytes(StandardCharsets.UTF_8)));
        assertThat(shell.bash("cat deep/moved; stat -c ' %h' hard").out()).isEqualTo("longer 2\n");
        assertThat(files.stat("deep/moved", "").metadata()).isEqualTo(Map.of("h", "1"));
        fails(Failure.Code.IS_A_DIRECTORY, () -> write(files, "deep", Map.of()));
        fails(Failure.Code.USER_NOT_FOUND, () -> files.stat("/", "nobody-here"));
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void withRootsRightsWhatIsMadeBelongsToTheUserNamed(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        var own = CAISSON.node().files(shell.id());
        var root = CAISSON.node().files(shell.id(), Files.Rights.ROOT);
        fails(Failure.Code.FILE_DENIED, () -> write(own, "/srv/new/file", Map.of()));
        assertThat(write(root, "/srv/new/file", Map.of("a", "b"))).satisfies(file -> assertThat(file.owner() + ":" + file.group()).isEqualTo("user:user"));
        assertThat(root.stat("/srv/new", "user").owner()).isEqualTo("user");
        assertThat(root.stat("/srv", "user").owner()).as("was there before").isEqualTo("root");
        assertThat(root.makeDirectory("/opt/made/deep", "user")).isTrue();
        assertThat(shell.run("stat", "-c", "%U %G", "/opt/made", "/opt/made/deep").out()).isEqualTo("user user\nuser user\n");
        assertThat(write(root, "relative", Map.of()).path()).isEqualTo("/home/user/relative");
        assertThat(root.write("/srv/roots", "root", -1, new ByteArrayInputStream(new byte[1])).owner()).isEqualTo("root");
        assertThat(shell.asRoot("sh", "-c", "mkdir -m 700 /secret && echo x > /secret/s").status()).isZero();
        fails(Failure.Code.FILE_DENIED, () -> own.stat("/secret/s", "user"));
        assertThat(root.stat("/secret/s", "user").size()).isEqualTo(2);
        assertThat(root.list("/secret", "user", 1)).hasSize(1);
        root.remove("/secret", "user");
        fails(Failure.Code.FILE_NOT_FOUND, () -> root.stat("/secret", "user"));
    }

    private static FileInfo write(Files files, String path, Map<String, String> metadata) {
        return files.write(path, "user", -1, metadata, new ByteArrayInputStream("text".getBytes(StandardCharsets.UTF_8)));
    }
}
