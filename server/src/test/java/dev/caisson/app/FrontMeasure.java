package dev.caisson.app;

import dev.caisson.fake.FakeSandboxes;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;

/// Starts a front over fake sandboxes and says how long that took: not a test, a program. Arguments: those of a front.
final class FrontMeasure {
    private static final Logger JETTY = Logger.getLogger("org.eclipse.jetty");

    private FrontMeasure() {}

    public static void main(String[] arguments) {
        JETTY.setLevel(Level.WARNING);
        long entered = System.currentTimeMillis() - ManagementFactory.getRuntimeMXBean().getStartTime();
        long begin = System.nanoTime();
        FrontSettings settings = FrontSettings.parse(List.of(arguments));
        Front front = Front.start(settings, new FakeSandboxes(Path.of("/nonexistent")), InstantSource.system(), new SecureRandom());
        long ready = (System.nanoTime() - begin) / 1_000_000;
        System.out.println(front.readyLine());
        System.out.println("main entered after " + entered + " ms of the JVM, ready " + ready + " ms later");
        System.exit(0);
    }
}
