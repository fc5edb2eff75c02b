/* A first process that never dials home. */
#include <unistd.h>

int main(void) {
    for (;;) pause();
}
