package dev.caisson.isolation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Tier;
import dev.caisson.testing.Installation;
import dev.caisson.testing.Shell;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// From inside, the host is not there: its files, processes, devices and kernel interfaces.
@Tag("machine")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class HostIsUnseenTest {
    @RegisterExtension
    static final Installation CAISSON = new Installation();

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void filesOfTheHost(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        String canary = "canary-" + UUID.randomUUID();
        Path planted = Files.writeString(Path.of("/var/tmp/" + canary), canary);
        try {
            var found = shell.asRoot("bash", "-c", "find / -xdev -name '" + canary + "' 2>/dev/null; for p in 1 self; do cat /proc/$p/root/var/tmp/" + canary + " 2>/dev/null; done; cat /proc/1/cwd/../../../../var/tmp/" + canary + " 2>/dev/null; echo done");
            assertThat(found.out()).isEqualTo("done\n");
            // The positive twin: what is planted inside is found by the same search.
            assertThat(shell.asRoot("bash", "-c", "touch /var/tmp/" + canary + "; find / -xdev -name '" + canary + "' 2>/dev/null").out()).contains("/var/tmp/" + canary);
        } finally {
            Files.delete(planted);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void processesOfTheHost(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        String commands = shell.asRoot("bash", "-c", "for c in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $c; echo; done").out();
        assertThat(commands).contains("agent").doesNotContain("NodeMain").doesNotContain("runsc").doesNotContain("java");
        assertThat(shell.asRoot("bash", "-c", "kill -0 " + ProcessHandle.current().pid() + " && echo seen").out()).isEmpty();
        assertThat(shell.run("bash", "-c", "ls -d /proc/[0-9]* | wc -l").out().strip()).matches("[2-9]|1[0-9]");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void devicesOfTheHost(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        assertThat(List.of(shell.asRoot("bash", "-c", "ls /dev").out().split("\\s+")))
                .contains("null", "zero", "urandom")
                .isSubsetOf("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue", "fd", "stdin", "stdout", "stderr", "console", "core", "char", "fuse", "net");
        // Making one of its own gives nothing: the host's first disk is not behind its numbers.
        var made = shell.asRoot("bash", "-c", "mknod /tmp/disk b 254 0 && head -c 512 /tmp/disk | wc -c");
        assertThat(made.out().strip()).isIn("", "0");
        var kvm = shell.asRoot("bash", "-c", "test -e /dev/kvm && echo kvm; mknod /tmp/kvm c 10 232 && head -c1 /tmp/kvm && echo opened");
        assertThat(kvm.out()).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void kernelInterfacesThatChangeTheHost(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        for (String path : List.of("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches", "/proc/sys/kernel/hostname")) {
            var before = Files.exists(Path.of(path)) && Files.isReadable(Path.of(path)) && !path.endsWith("trigger") && !path.endsWith("caches") ? Files.readString(Path.of(path)) : "";
            var ran = shell.asRoot("bash", "-c", "echo x > " + path + " && echo written");
            if (tier == Tier.CONTAINER) {
                assertThat(ran.out()).as(path).isEmpty();
            }
            if (!before.isEmpty()) {
                assertThat(Files.readString(Path.of(path))).as("%s on the host", path).isEqualTo(before);
            }
        }
        assertThat(shell.asRoot("bash", "-c", "cat /proc/kcore 2>/dev/null | head -c 16 | wc -c; cat /proc/keys 2>/dev/null | wc -l; ls /sys/firmware 2>/dev/null | wc -l").out().split("\\s+")).containsExactly("0", "0", "0");
    }

    /// System calls that reach for more than a program needs: number and arguments, x86-64.
    private static final String FORBIDDEN_CALLS =
            """
            import ctypes, os
            libc = ctypes.CDLL(None, use_errno=True)
            def call(name, number, *args):
                r = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
                print(name, 'DONE' if r >= 0 else os.strerror(ctypes.get_errno()))
            zero = ctypes.create_string_buffer(256)
            call('bpf', 321, 0, zero, 72)
            call('perf_event_open', 298, zero, 0, -1, -1, 0)
            call('userfaultfd', 323, 0)
            call('io_uring_setup', 425, 8, zero)
            call('add_key', 248, b'user', b'caisson', b'x', 1, -3)
            call('keyctl', 250, 0, -3, 1)
            call('unshare-user', 272, 0x10000000)
            call('unshare-net', 272, 0x40000000)
            call('unshare-mount', 272, 0x00020000)
            call('mount', 165, b'none', b'/mnt', b'tmpfs', 0, 0)
            call('kexec_load', 246, 0, 0, 0, 0)
            call('init_module', 175, zero, 16, b'')
            call('open_by_handle_at', 304, -100, zero, 0)
            call('reboot', 169, 0xfee1dead - (1 << 32), 672274793, 0x01234567, 0)
            call('swapon', 167, b'/tmp/x', 0)
            call('pivot_root', 155, b'/', b'/mnt')
            call('setns', 308, os.open('/proc/1/ns/net', os.O_RDONLY) if os.access('/proc/1/ns/net', os.R_OK) else 0, 0)
            call('getpid', 39)
            """;

    @Test
    void systemCallsAProgramDoesNotNeedInTheContainer() throws Exception {
        var shell = CAISSON.shell(Tier.CONTAINER);
        for (String user : List.of("user", "root")) {
            var lines = shell.run(java.time.Duration.ofMinutes(1), user, "python3", "-c", FORBIDDEN_CALLS).out().lines().toList();
            // The positive twin is the last: an ordinary call goes through.
            assertThat(lines).hasSize(18).last().isEqualTo("getpid DONE");
            assertThat(lines.subList(0, 17)).as("as %s", user).noneMatch(line -> line.endsWith("DONE"));
        }
        assertThat(shell.run("unshare", "-Ur", "true").status()).isNotZero();
    }

    @Test
    void systemCallsThatGvisorDoesNotKnow() throws Exception {
        var lines = CAISSON.shell(Tier.GVISOR).asRoot("python3", "-c", FORBIDDEN_CALLS).out().lines().toList();
        assertThat(lines).hasSize(18).last().isEqualTo("getpid DONE");
        for (String name : List.of("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "kexec_load", "init_module", "swapon")) {
            assertThat(lines).noneMatch(line -> line.equals(name + " DONE"));
        }
    }

    @Test
    void gvisorIsAKernelOfItsOwn() throws Exception {
        var shell = CAISSON.shell(Tier.GVISOR);
        String host = Files.readString(Path.of("/proc/sys/kernel/osrelease")).strip();
        assertThat(shell.run("uname", "-r").out().strip()).isNotEqualTo(host);
        assertThat(shell.run("dmesg").out()).contains("gVisor");
        assertThat(CAISSON.shell(Tier.CONTAINER).run("uname", "-r").out().strip()).isEqualTo(host);
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void othersSandboxes(Tier tier) throws Exception {
        var one = CAISSON.shell(tier);
        var other = CAISSON.shell(tier);
        one.bash("echo secret > /tmp/mine; sleep 60 >/dev/null 2>&1 & disown");
        assertThat(other.asRoot("bash", "-c", "cat /tmp/mine 2>/dev/null; cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 6[0]'").out().strip()).isEqualTo("0");
        assertThat(one.run("cat", "/tmp/mine").out()).isEqualTo("secret\n");
    }

    @ParameterizedTest
    @EnumSource(value = Tier.class, names = {"GVISOR", "CONTAINER"})
    void nothingOfOursIsHandedDown(Tier tier) throws Exception {
        var shell = CAISSON.shell(tier);
        assertThat(shell.run("env").out().lines().map(line -> line.substring(0, line.indexOf('=')))).containsExactlyInAnyOrder("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG");
        assertThat(Arrays.stream(shell.python("import os; print(*[os.readlink('/proc/self/fd/'+f) for f in os.listdir('/proc/self/fd') if os.path.lexists('/proc/self/fd/'+f)], sep='\\n')").out().split("\n")).filter(fd -> !fd.contains("/proc/")))
                .allMatch(fd -> fd.startsWith("pipe:") || fd.equals("/dev/null"), "a pipe or /dev/null");
    }

    @Test
    void theContainersUserHasNoWayUp() throws Exception {
        var shell = CAISSON.shell(Tier.CONTAINER);
        var sudo = shell.run("sudo", "-n", "true");
        assertThat(sudo.status()).isNotZero();
        assertThat(sudo.err()).contains("no new privileges");
        var status = shell.run("cat", "/proc/self/status").out();
        assertThat(status).contains("NoNewPrivs:\t1").contains("Seccomp:\t2").contains("CapEff:\t0000000000000000");
        // Root inside is nobody outside.
        assertThat(shell.run("cat", "/proc/self/uid_map").out()).doesNotContain(" 0          0 ");
    }

    @Test
    void sudoWorksWhereTheKernelIsTheSandboxsOwn() throws Exception {
        Shell shell = CAISSON.shell(Tier.GVISOR);
        assertThat(shell.run("sudo", "-n", "id", "-u").out()).isEqualTo("0\n");
        assertThat(shell.run("sudo", "-n", "bash", "-c", "echo 1 > /etc/marked && cat /etc/marked").out()).isEqualTo("1\n");
    }
}
