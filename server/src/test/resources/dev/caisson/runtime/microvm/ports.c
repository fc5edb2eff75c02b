/* Reads and writes every port of the machine that it is not turned off by, for some seconds. Only root may. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <time.h>

int main(int argc, char **argv) {
    time_t until = time(NULL) + (argc > 1 ? atoi(argv[1]) : 3);
    if (iopl(3) < 0) { perror("iopl"); return 1; }
    unsigned long rounds = 0;
    while (time(NULL) < until) {
        for (int i = 0; i < 20000; i++) {
            unsigned port = random() % 0xfffc;
            /* Resets: the keyboard controller's, the chipset's, ACPI's. */
            if (port == 0x64 || port == 0xcf9 || (port >= 0x600 && port < 0x680)) continue;
            switch (random() & 3) {
                case 0: outb(random(), port); break;
                case 1: outl(random(), port); break;
                case 2: inl(port); break;
                default: outw(random(), port);
            }
            rounds++;
        }
    }
    printf("%lu\n", rounds);
}
