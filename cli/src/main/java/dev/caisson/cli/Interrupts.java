package dev.caisson.cli;

import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;

/// Ctrl-C, counted. The JDK has no supported way to catch it more than once; `sun.misc.Signal` has been there since its beginning and stays exported
/// (JEP 260). It is reached by name, because javac warns of it in a way that cannot be switched off, and warnings are errors here.
final class Interrupts {
    private Interrupts() {}

    /// From now on `action` gets 1 at the first Ctrl-C, 2 at the second, …, each on a thread of its own.
    static void handle(IntConsumer action) {
        var count = new AtomicInteger();
        handle("INT", () -> action.accept(count.incrementAndGet()));
    }

    /// Runs `action` at SIGINT, SIGTERM or SIGHUP instead of ending.
    static void handleEnd(Runnable action) {
        for (String name : new String[] {"INT", "TERM", "HUP"}) {
            handle(name, action);
        }
    }

    /// Runs `action` whenever the terminal has got another size.
    static void handleResize(Runnable action) {
        handle("WINCH", action);
    }

    private static void handle(String name, Runnable action) {
        try {
            var signal = Class.forName("sun.misc.Signal");
            var handler = Class.forName("sun.misc.SignalHandler");
            Object ours = Proxy.newProxyInstance(Interrupts.class.getClassLoader(), new Class<?>[] {handler}, (self, method, arguments) -> switch (method.getName()) {
                case "handle" -> {
                    action.run();
                    yield self;
                }
                case "hashCode" -> System.identityHashCode(self);
                case "equals" -> arguments != null && self == arguments[0];
                default -> "Interrupts";
            });
            signal.getMethod("handle", signal, handler).invoke(null, signal.getConstructor(String.class).newInstance(name), ours);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this JDK has no sun.misc.Signal", e);
        }
    }
}
