/* In QEMU's place behind its walls: tries what one who has taken QEMU over would, and says for each try the error's number, 0 for none. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say(const char *what, long result) { printf("%s %d\n", what, result < 0 ? errno : 0); }

static long fill(const char *path) {
    static char block[4096];
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) return fd;
    for (long all = 0; all < 1 << 20; all += sizeof block) {
        if (write(fd, block, sizeof block) < 0) return -1;
    }
    return 0;
}

int main(void) {
    say("own", socket(AF_UNIX, SOCK_STREAM, 0));
    say("internet", socket(AF_INET, SOCK_STREAM, 0));
    say("internet6", socket(AF_INET6, SOCK_DGRAM, 0));
    say("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
    say("packet", socket(AF_PACKET, SOCK_RAW, 0));
    say("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    say("user-namespace", unshare(CLONE_NEWUSER));
    say("mount", mount("none", "/run", "tmpfs", 0, ""));
    say("ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0));
    say("keys", syscall(SYS_add_key, "user", "a", "b", 1, -2));
    say("io-uring", syscall(SYS_io_uring_setup, 1, 0));
    say("bpf", syscall(SYS_bpf, 0, 0, 0));
    say("root", setuid(0));
    say("write-root", open("/new", O_WRONLY | O_CREAT, 0600));
    say("write-library", open("/usr/lib/new", O_WRONLY | O_CREAT, 0600));
    say("read-passwd", open("/etc/passwd", O_RDONLY));
    say("read-process", open("/proc/2/environ", O_RDONLY));
    say("fill-scratch", fill("/run/file"));
    return 0;
}
