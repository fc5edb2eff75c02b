package dev.caisson.walk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.testing.CommandLineInstallation;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// `caisson run --tty` at a terminal, which a program of Python holds the other end of.
@Tag("machine")
@Timeout(value = 3, unit = TimeUnit.MINUTES)
class TerminalTest {
    @RegisterExtension
    static final CommandLineInstallation CAISSON = new CommandLineInstallation();

    @TempDir
    Path directory = Path.of("");

    /// Types what its arguments say: `TEXT=KEYS` waits for TEXT on the screen and then presses KEYS, `TEXT=size` makes the window another size. Writes the screen to
    /// standard output, ends with the program's status, and says on standard error whether the terminal is as it was.
    private static final String PERSON =
            """
            import fcntl, os, pty, select, signal, struct, sys, termios, time
            command, script = sys.argv[1:sys.argv.index('==')], sys.argv[sys.argv.index('==') + 1:]
            def resize(rows, columns):
                fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
            master, slave = pty.openpty()
            resize(33, 101)
            before = termios.tcgetattr(slave)
            child = os.fork()
            if child == 0:
                os.setsid()
                fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
                for fd in (0, 1, 2):
                    os.dup2(slave, fd)
                os.execvp(command[0], command)
            screen, until, status = b'', time.monotonic() + 90, None
            while status is None and time.monotonic() < until:
                if select.select([master], [], [], 0.1)[0]:
                    screen += os.read(master, 65536)
                if script:
                    text, keys = script[0].encode().split(b'=', 1)
                    if text in screen:
                        del script[0]
                        if keys == b'size':
                            resize(44, 120)
                        else:
                            os.write(master, keys.decode('unicode_escape').encode())
                ended, how = os.waitpid(child, os.WNOHANG)
                status = os.waitstatus_to_exitcode(how) if ended else None
            if status is None:
                os.kill(child, signal.SIGKILL)
            while select.select([master], [], [], 0)[0]:
                screen += os.read(master, 65536)
            sys.stdout.buffer.write(screen)
            sys.stderr.write('as it was' if termios.tcgetattr(slave) == before else 'changed')
            sys.exit(99 if status is None else status)
            """;

    @Test
    void keysSizesAndTheScreenAreTheCommands() throws Exception {
        var script = Files.writeString(directory.resolve("person.py"), PERSON);
        var ran = CAISSON.caisson().in(List.of("python3", script.toString())).run(
                "run", "-q", "--tty", "--", "bash", "-c",
                "tty; stty size; trap 'echo interrupted' INT; trap 'stty size' WINCH; echo 'red?'; while ! read -r -t 1 answer && [[ -z $answer ]]; do :; done; echo \"so $answer\" >&2; sleep 30; exit 7",
                "==", "red?=size", "44 120=red\\r", "so red=\\x03");
        var screen = new String(ran.out(), StandardCharsets.UTF_8);
        assertThat(screen).contains("/dev/pts/", "33 101\r\n", "44 120\r\n", "so red\r\n", "interrupted\r\n");
        assertThat(ran.status()).as(screen).isEqualTo(7);
        assertThat(ran.err()).isEqualTo("as it was");
    }

    @Test
    void withoutATerminalItIsRefused() throws Exception {
        var ran = CAISSON.caisson().run("run", "--tty", "--", "true");
        assertThat(ran.status()).isEqualTo(125);
        assertThat(ran.err()).isEqualTo("caisson: --tty, but standard input and output are not a terminal (leave --tty away, or run it in a terminal)\n");
    }
}
