package dev.caisson.app;

import dev.caisson.remote.RemoteSandboxes;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;

/// The front process: clients' HTTP in, calls to the node out. Needs no privilege and should have none.
///
/// `--home DIR --listen HOST:PORT --local-key-sha256 HEX --e2b-internet refuse|ignore --e2b-ports private|public [--egress-open yes] [--egress-policy FILE] [--tenant-floor microvm|gvisor] [--accept-emulated yes] [--domain NAME[:PORT] …] [--mcp-origins ORIGIN,…] [--tied]`. Prints its address, and a key where it has just been made, as one line of JSON.
public final class FrontMain {
    /// Jetty tells at INFO that it started; a strong reference, or the level is forgotten.
    private static final Logger JETTY = Logger.getLogger("org.eclipse.jetty");

    private FrontMain() {}

    public static void main(String[] arguments) {
        JETTY.setLevel(Level.WARNING);
        ServerProcess.run(arguments, FrontSettings.KNOWN.stream().map(option -> option.substring(2)).toList(), _ -> {
            var settings = FrontSettings.parse(List.of(arguments));
            var front = Front.start(settings, RemoteSandboxes.connect(settings.nodeSocket()), InstantSource.system(), new SecureRandom());
            return new ServerProcess.Running() {
                @Override
                public void close() {
                    front.close();
                }

                @Override
                public String ready() {
                    return front.readyLine();
                }
            };
        });
    }
}
