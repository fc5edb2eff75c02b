package dev.caisson.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(10)
class NamedPipeTest {
    private static final int USER = 0x3000_6fff;

    @TempDir
    private Path directory;

    private Path path;

    @BeforeEach
    void make() throws Exception {
        assumeThat(HostFacts.runningAsRoot()).as("skipped: needs root").isTrue();
        path = directory.resolve("pipe");
        NamedPipe.make(path, USER);
    }

    @Test
    void givesWhatWasWrittenAndNeverWaits() throws Exception {
        try (var pipe = NamedPipe.open(path); var writer = FileChannel.open(path, StandardOpenOption.WRITE)) {
            assertThat(pipe.take()).isEmpty();
            writer.write(java.nio.ByteBuffer.wrap("words\n".getBytes(java.nio.charset.StandardCharsets.UTF_8)));
            assertThat(pipe.take()).isEqualTo("words\n");
            assertThat(pipe.take()).isEmpty();
        }
    }

    @Test
    void belongsToThatUserAlone() throws Exception {
        assertThat(Files.getAttribute(path, "unix:uid")).isEqualTo(USER);
        assertThat((int) Files.getAttribute(path, "unix:mode") & 0777).isEqualTo(0600);
    }
}
