package dev.caisson.remote;

/// One wait of the thread that makes this, which another may break off. An interrupt never reaches what the thread does afterwards: in the middle of a write
/// to the link that all calls share, it would close it.
final class OneWait {
    private final Thread waiting = Thread.currentThread();
    private boolean over;

    synchronized void breakOff() {
        if (!over) {
            waiting.interrupt();
        }
    }

    /// It is over; an interrupt that came too late is forgotten.
    synchronized void end() {
        over = true;
        Thread.interrupted();
    }
}
