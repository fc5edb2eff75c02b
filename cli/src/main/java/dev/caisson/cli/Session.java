package dev.caisson.cli;

import dev.caisson.client.Caisson;
import dev.caisson.client.CaissonException;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Optional;

/// The installation that a command uses: the one that CAISSON_URL names, or the one that runs here, or one started for this command alone.
///
/// Cleanup: close ends what was started for it.
final class Session implements AutoCloseable {
    private final Caisson caisson;
    private final Installation installation;
    private final Optional<OneShot> oneShot;

    /// Where the installation listens, and the key for it.
    record Address(String url, String key) {
        @Override
        public String toString() {
            return url;
        }
    }

    private Session(Caisson caisson, Installation installation, Optional<OneShot> oneShot) {
        this.caisson = caisson;
        this.installation = installation;
        this.oneShot = oneShot;
    }

    /// Uses what runs, and starts nothing.
    static Session open() {
        if (isRemote()) {
            return new Session(Caisson.connect(), Installation.ofEnvironment(), Optional.empty());
        }
        var installation = Installation.ofEnvironment();
        return new Session(installation.connect(), installation, Optional.empty());
    }

    /// Uses what runs, and starts what is missing for as long as this session is open.
    static Session openOrStart() {
        return openOrStart(OneShot.listening(false, 0));
    }

    /// @param listening how what is missing is told to behave; what runs already goes by what it was told
    static Session openOrStart(Launch.Listening listening) {
        if (isRemote()) {
            return new Session(Caisson.connect(), Installation.ofEnvironment(), Optional.empty());
        }
        var installation = Installation.ofEnvironment();
        if (installation.isUp()) {
            return new Session(installation.connect(), installation, Optional.empty());
        }
        return start(installation, listening);
    }

    /// Starts that installation, or takes part in the run of others.
    static Session start(Installation installation, Launch.Listening listening) {
        var oneShot = OneShot.join(installation, listening);
        try {
            return new Session(installation.connect(), installation, Optional.of(oneShot));
        } catch (CaissonException e) {
            oneShot.close();
            throw e;
        }
    }

    /// True when CAISSON_URL names an installation, so that the one of this machine does not matter.
    static boolean isRemote() {
        String url = System.getenv("CAISSON_URL");
        return url != null && !url.isBlank();
    }

    Caisson caisson() {
        return caisson;
    }

    /// For what the SDK does not speak.
    Address address() {
        try {
            String key = isRemote() ? System.getenv("CAISSON_KEY") : Files.readString(installation.key());
            return new Address(caisson.url(), key.strip());
        } catch (IOException e) {
            throw new CliException("cannot read the key of the installation: " + e.getMessage(), "run it as root, or set CAISSON_URL and CAISSON_KEY", e);
        }
    }

    /// True when processes were started for this command alone.
    boolean isOwn() {
        return oneShot.isPresent();
    }

    @Override
    public void close() {
        caisson.close();
        oneShot.ifPresent(OneShot::close);
    }
}
