/* PID 1 of the tests' guest. Says "hello" on the port caisson.agent whenever somebody is there, then obeys one line at a time:
 *   ping            pong
 *   fill N          writes byte N over all memory that it can get; says how many MiB
 *   keep N          keeps N in memory; recall says it
 *   write N         writes byte N over the first MiB of /dev/vdb; read says its first byte
 *   random          8 bytes of the kernel's, in hex
 *   run COMMAND     has the root image's shell obey it; says its exit status
 *   spin            keeps the processor busy for ever, in another process
 *   shout           floods the console for ever, in another process
 *   net             the hardware address of eth0
 *   devices         block devices and their sizes in bytes
 * With caisson.probe on the kernel's command line: says so on the console and restarts the machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <linux/fs.h>
#include <unistd.h>

static int port = -1;
static char line[4096];

static void tell(int fd, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (int at = 0; at < n;) {
        int wrote = write(fd, text + at, n - at);
        if (wrote < 0 && errno != EINTR && errno != EAGAIN) return;
        if (wrote > 0) at += wrote;
    }
}

static void modules(void) {
    FILE *order = fopen("/modules/order", "r");
    while (order != NULL && fgets(line, sizeof line, order) != NULL) {
        char path[300];
        line[strcspn(line, "\n")] = 0;
        snprintf(path, sizeof path, "/modules/%.200s", line);
        int fd = open(path, O_RDONLY);
        if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST) {
            int console = open("/dev/console", O_WRONLY);
            tell(console, "module %s: %s\n", path, strerror(errno));
            close(console);
        }
        close(fd);
    }
}

/* The device of the port with that name, once it is there. */
static int open_port(const char *wanted) {
    for (int tries = 0; tries < 10000; tries++) {
        for (int i = 0; i < 16; i++) {
            char path[64], name[64] = "";
            snprintf(path, sizeof path, "/sys/class/virtio-ports/vport%dp%d/name", i / 2, i % 2);
            int fd = open(path, O_RDONLY);
            if (fd < 0) continue;
            int n = read(fd, name, sizeof name - 1);
            close(fd);
            if (n > 0 && strncmp(name, wanted, strlen(wanted)) == 0) {
                snprintf(path, sizeof path, "/dev/vport%dp%d", i / 2, i % 2);
                return open(path, O_RDWR | O_NONBLOCK);
            }
        }
        usleep(1000);
    }
    return -1;
}

static void fill(int value) {
    struct sysinfo info;
    sysinfo(&info);
    size_t size = (info.freeram + info.bufferram) * info.mem_unit;
    size_t reserve = 6 << 20;
    size = size > reserve ? size - reserve : 0;
    char *all = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(all, value, size);
    munmap(all, size);
    tell(port, "filled %zu\n", size >> 20);
}

static void run(const char *command) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        mkdir("/image", 0755);
        mount("/dev/vda", "/image", "erofs", MS_RDONLY, "");
        if (chroot("/image") == 0 && chdir("/") == 0) execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(126);
    }
    waitpid(child, &status, 0);
    tell(port, "%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void obey(const char *command) {
    static int kept;
    if (strcmp(command, "ping") == 0) {
        tell(port, "pong\n");
    } else if (strncmp(command, "fill ", 5) == 0) {
        fill(atoi(command + 5));
    } else if (strncmp(command, "keep ", 5) == 0) {
        kept = atoi(command + 5);
        tell(port, "kept\n");
    } else if (strcmp(command, "recall") == 0) {
        tell(port, "%d\n", kept);
    } else if (strncmp(command, "write ", 6) == 0) {
        static char block[1 << 20] __attribute__((aligned(4096)));
        memset(block, atoi(command + 6), sizeof block);
        int fd = open("/dev/vdb", O_WRONLY | O_DIRECT);
        int n = pwrite(fd, block, sizeof block, 0);
        tell(port, n == sizeof block ? "written\n" : "failed: %s\n", strerror(errno));
        close(fd);
    } else if (strcmp(command, "read") == 0) {
        static char block[4096] __attribute__((aligned(4096)));
        int fd = open("/dev/vdb", O_RDONLY | O_DIRECT);
        int n = pread(fd, block, sizeof block, 0);
        tell(port, n > 0 ? "%d\n" : "failed\n", block[0]);
        close(fd);
    } else if (strncmp(command, "run ", 4) == 0) {
        run(command + 4);
    } else if (strcmp(command, "random") == 0) {
        uint64_t random = 0;
        getrandom(&random, sizeof random, 0);
        tell(port, "%016lx\n", random);
    } else if (strcmp(command, "spin") == 0) {
        if (fork() == 0) for (volatile long i = 0;; i++) {}
        tell(port, "spinning\n");
    } else if (strcmp(command, "shout") == 0) {
        if (fork() == 0) {
            int console = open("/dev/console", O_WRONLY);
            for (;;) tell(console, "%s\n", line);
        }
        tell(port, "shouting\n");
    } else if (strcmp(command, "net") == 0) {
        char address[64] = "none";
        int fd = open("/sys/class/net/eth0/address", O_RDONLY);
        if (fd >= 0) {
            int n = read(fd, address, 17);
            address[n > 0 ? n : 0] = 0;
            close(fd);
        }
        tell(port, "%s\n", address);
    } else if (strcmp(command, "devices") == 0) {
        unsigned long long a = 0, b = 0;
        int ro = 0, fd = open("/dev/vda", O_RDONLY);
        ioctl(fd, BLKGETSIZE64, &a); ioctl(fd, BLKROGET, &ro); close(fd);
        fd = open("/dev/vdb", O_RDONLY); ioctl(fd, BLKGETSIZE64, &b); close(fd);
        tell(port, "%llu %s %llu\n", a, ro ? "ro" : "rw", b);
    } else {
        tell(port, "what?\n");
    }
}

/* Reads lines while somebody is there. */
static void serve(void) {
    size_t used = 0;
    tell(port, "hello\n");
    for (;;) {
        struct pollfd fd = {port, POLLIN, 0};
        poll(&fd, 1, -1);
        if ((fd.revents & POLLHUP) && !(fd.revents & POLLIN)) return;
        ssize_t n = read(port, line + used, sizeof line - 1 - used);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return;
        if (n < 0) continue;
        used += n;
        char *end;
        while ((end = memchr(line, '\n', used)) != NULL) {
            *end = 0;
            obey(line);
            used -= end + 1 - line;
            memmove(line, end + 1, used);
        }
    }
}

int main(void) {
    mkdir("/proc", 0755); mkdir("/sys", 0755); mkdir("/dev", 0755);
    mount("proc", "/proc", "proc", 0, "");
    mount("sysfs", "/sys", "sysfs", 0, "");
    mount("devtmpfs", "/dev", "devtmpfs", 0, "");
    char commands[4096] = "";
    int fd = open("/proc/cmdline", O_RDONLY);
    read(fd, commands, sizeof commands - 1);
    close(fd);
    if (strstr(commands, "caisson.probe") != NULL) {
        fd = open("/dev/console", O_WRONLY);
        tell(fd, "caisson guest is up\n");
        sync();
        reboot(RB_AUTOBOOT);
    }
    modules();
    for (;;) {
        /* Opened anew for each host, as the agent does: who freezes us waits for that. */
        port = open_port("caisson.agent");
        for (struct pollfd wait = {port, POLLOUT, 0}; (wait.revents & (POLLHUP | POLLOUT)) != POLLOUT;) {
            poll(&wait, 1, -1);
            if (wait.revents & POLLHUP) usleep(1000);
        }
        serve();
        close(port);
    }
}
