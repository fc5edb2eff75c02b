package dev.caisson.image;

import dev.caisson.host.Home;
import java.nio.file.Path;
import java.util.List;

/// A process that builds the small template below the home given, for a test to kill.
final class BuildUntilKilled {
    private BuildUntilKilled() {}

    public static void main(String[] arguments) throws Exception {
        new Images(new Home(Path.of(arguments[0])), List.of(ImagesTest.RECIPE)).build(ImagesTest.SMALL, true, line -> {});
    }
}
