package dev.caisson.host;

import java.io.IOException;

/// Mounts and unmounts what one child is to see, in a mount namespace that is the child's alone: nobody else sees or holds those mounts, and they go with
/// the last process in it, also when we crash.
@FunctionalInterface
public interface Stage {
    /// Runs on a thread that is in that namespace already, with everything of the machine's mounted.
    void set() throws IOException, InterruptedException;

    /// Whether the child also shares its host name and what System V IPC knows with nobody.
    default boolean isAlone() {
        return false;
    }

    /// That stage, for a child that is alone.
    static Stage alone(Stage stage) {
        return new Stage() {
            @Override
            public void set() throws IOException, InterruptedException {
                stage.set();
            }

            @Override
            public boolean isAlone() {
                return true;
            }
        };
    }
}
