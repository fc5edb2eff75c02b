package dev.caisson.host;

import dev.caisson.sandbox.Failure;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// One installation: the directory everything it owns lies in, and the names derived from it, so that two on one machine do not meet.
///
/// Layout: `bin/` (runsc, caisson-agent), `lib/` (jars), `image/` (content store), `node/` (the node's store), `run/` (sockets, and `s/<id>/`
/// per sandbox), `front/`, `log/`.
///
/// @param path absolute, without symbolic parts such as `..`, at most 64 bytes: a unix socket's path holds 107, and the deepest is
///     `run/s/<20>/r/runsc-s.sock`
public record Home(Path path) {
    public static final int MAX_PATH_BYTES = 64;

    public Home {
        if (!path.isAbsolute() || !path.equals(path.normalize()) || path.getNameCount() == 0) {
            throw Failure.Code.BAD_REQUEST.with("not a home directory: '" + Failure.shown(path.toString()) + "'", "set CAISSON_HOME to an absolute path below /");
        }
        int bytes = path.toString().getBytes(StandardCharsets.UTF_8).length;
        if (bytes > MAX_PATH_BYTES) {
            throw Failure.Code.OUT_OF_RANGE.with(
                    "the home directory's path is " + bytes + " bytes long: '" + Failure.shown(path.toString()) + "'",
                    "set CAISSON_HOME to a path of at most " + MAX_PATH_BYTES + " bytes");
        }
        if (!path.toString().matches("[A-Za-z0-9/._-]+")) {
            // Mount options (overlay's lowerdir, runsc's overlay2) split at commas and colons.
            throw Failure.Code.BAD_REQUEST.with("the home directory's path has a character that mount options cannot carry: '" + Failure.shown(path.toString()) + "'",
                    "set CAISSON_HOME to a path of A-Z a-z 0-9 / . _ -");
        }
    }

    public Path bin() {
        return path.resolve("bin");
    }

    public Path lib() {
        return path.resolve("lib");
    }

    public Path image() {
        return path.resolve("image");
    }

    /// The guest's kernel and its initramfs.
    public Path guest() {
        return path.resolve("guest");
    }

    /// Frozen machines that microVMs start from.
    public Path snapshots() {
        return path.resolve("snapshot");
    }

    public Path node() {
        return path.resolve("node");
    }

    public Path front() {
        return path.resolve("front");
    }

    public Path log() {
        return path.resolve("log");
    }

    public Path run() {
        return path.resolve("run");
    }

    public Path nodeSocket() {
        return run().resolve("node.sock");
    }

    /// Where the gateway process is asked.
    public Path gatewaySocket() {
        return run().resolve("gateway.sock");
    }

    /// The gateway's network namespace.
    public Path gatewayNetwork() {
        return run().resolve("gateway.net");
    }

    /// Why the node could make no network for the gateway; not there when it could.
    public Path gatewayUnfit() {
        return run().resolve("gateway.unfit");
    }

    /// Holds one network namespace per plug.
    public Path plugs() {
        return run().resolve("p");
    }

    /// What the gateway owns: its key, the flow logs, the names that were looked up.
    public Path gateway() {
        return path.resolve("gateway");
    }

    /// What the operator owns: presets of rules.
    public Path egress() {
        return path.resolve("egress");
    }

    /// Holds one directory per sandbox.
    public Path sandboxes() {
        return run().resolve("s");
    }

    /// The directory of the sandbox with that id.
    public Path sandbox(String id) {
        return sandboxes().resolve(id);
    }

    /// The socket that the agent of the sandbox with that id dials: in the one directory of the host that the sandbox sees.
    public Path agentSocket(String id) {
        return sandbox(id).resolve("door").resolve("agent.sock");
    }

    /// Name of the cgroup that holds all sandboxes' cgroups, relative to each controller's root: `caisson-` and 8 hex digits of the path's SHA-256.
    public String cgroupParent() {
        try {
            var digest = MessageDigest.getInstance("SHA-256").digest(path.toString().getBytes(StandardCharsets.UTF_8));
            return "caisson-" + HexFormat.of().formatHex(digest, 0, 4);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /// Name of the cgroup of the sandbox with that id.
    public String cgroup(String id) {
        return cgroupParent() + "/" + id;
    }
}
