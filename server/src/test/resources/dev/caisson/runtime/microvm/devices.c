/* Takes all devices from its kernel and writes absurd values to their registers: queues of no length, of too great a length, at addresses that are none, changed after they were
 * made ready; then rings of rubbish. Restarts the machine in the end, so whoever sees that from outside knows that it got there. Only root may.
 *   devices SECONDS       does that
 *   devices SECONDS idle  reads the registers only */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#define BASE 0xfeb00000ul
#define EACH 0x200
#define COUNT 24
#define MAGIC 0x74726976

static void unbind(const char *driver) {
    char file[300];
    DIR *devices = opendir(driver);
    if (devices == NULL) return;
    snprintf(file, sizeof file, "%s/unbind", driver);
    for (struct dirent *entry = readdir(devices); entry != NULL; entry = readdir(devices)) {
        if (strncmp(entry->d_name, "virtio-mmio.", 12) != 0 && strncmp(entry->d_name, "LNRO", 4) != 0) continue;
        int fd = open(file, O_WRONLY);
        if (write(fd, entry->d_name, strlen(entry->d_name)) < 0) { /* The next. */ }
        close(fd);
    }
    closedir(devices);
}

static void put(volatile uint32_t *device, int offset, uint32_t value) {
    device[offset / 4] = value;
}

static uint32_t absurd(void) {
    static const uint32_t some[] = {0, 1, 2, 0xffff, 0x8000, 0xffffffff, 0x80000000, 0x1000, 0xfffff000, 0x10000000, 0xfeb00000};
    return random() & 1 ? some[random() % (sizeof some / sizeof some[0])] : (uint32_t) random() << (random() % 16);
}

int main(int argc, char **argv) {
    int seconds = argc > 1 ? atoi(argv[1]) : 3;
    unsigned long idle = argc > 2;
    mlockall(MCL_CURRENT | MCL_FUTURE);
    int memory = open("/dev/mem", O_RDWR | O_SYNC);
    if (memory < 0) { perror("/dev/mem"); return 1; }
    printf("hammering\n");
    fflush(stdout);
    usleep(300000);
    unbind("/tmp/sys/bus/platform/drivers/virtio-mmio");
    char *all = mmap(NULL, EACH * COUNT + 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, memory, BASE);
    if (all == MAP_FAILED) { perror("mmap"); for (;;) pause(); }
    /* Our own rubbish as rings, wherever it is. */
    uint64_t pages = 64, *ring = mmap(NULL, pages << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0), entry = 0, physical = 0;
    for (size_t i = 0; i < (pages << 12) / 8; i++) ring[i] = random() & 3 ? (uint64_t) random() : 0;
    int map = open("/proc/self/pagemap", O_RDONLY);
    if (pread(map, &entry, 8, (uintptr_t) ring / 4096 * 8) == 8) physical = (entry & ((1ul << 55) - 1)) << 12;
    time_t until = time(NULL) + seconds;
    while (time(NULL) < until) {
        for (int i = 0; i < COUNT; i++) {
            volatile uint32_t *device = (volatile uint32_t *) (all + i * EACH);
            if (device[0] != MAGIC || device[2] == 0) continue;
            if (idle) { idle++; usleep(1000); continue; }
            put(device, 0x70, 0);
            put(device, 0x70, 1); put(device, 0x70, 3);
            put(device, 0x14, 1); put(device, 0x24, 1); put(device, 0x20, absurd());
            put(device, 0x14, 0); put(device, 0x24, 0); put(device, 0x20, absurd());
            put(device, 0x28, 4096);
            put(device, 0x70, 11);
            for (int queue = 0; queue < 3; queue++) {
                int sane = random() & 1;
                put(device, 0x30, random() & 7 ? queue : absurd());
                put(device, 0x38, sane ? 128 : absurd());
                put(device, 0x80, sane ? physical : absurd()); put(device, 0x84, sane ? physical >> 32 : absurd());
                put(device, 0x90, sane ? physical + 4096 : absurd()); put(device, 0x94, sane ? physical >> 32 : absurd());
                put(device, 0xa0, sane ? physical + 8192 : absurd()); put(device, 0xa4, sane ? physical >> 32 : absurd());
                put(device, 0x44, absurd() | 1);
                put(device, 0x70, 15);
                put(device, 0x50, queue);
                /* Ready and running: now it changes. */
                put(device, 0x38, absurd());
                put(device, 0x80, absurd());
                put(device, 0x40, absurd());
                for (int k = 0; k < 4; k++) put(device, 0x50, absurd());
            }
            for (int k = 0; k < 16; k++) put(device, (random() % EACH) & ~3, absurd());
            for (int k = 0; k < 16; k++) (void) device[(random() % EACH) / 4];
            ring[random() % ((pages << 12) / 8)] = (uint64_t) random() << (random() % 32);
        }
    }
    /* Nothing to read: then there was nothing to write to either. */
    if (idle != 1) reboot(RB_AUTOBOOT);
    for (;;) pause();
}
