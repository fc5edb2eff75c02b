package dev.caisson.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/// The one directory of the host that a sandbox sees, read-only, as `/.caisson`: the agent's program and the socket it dials.
///
/// Every root image has an empty directory of that name. The socket is fit for root of the sandbox alone.
public final class AgentDoor {
    private static final String INSIDE = "/.caisson";
    /// How the agent is started inside.
    public static final List<String> COMMAND = List.of(INSIDE + "/agent", "--socket", INSIDE + "/agent.sock");

    private AgentDoor() {}

    /// Completes the directory on the host, in which the socket listens already.
    ///
    /// @param owner user id on the host that is root inside
    public static void make(Path directory, Path agent, Path socket, int owner) throws IOException {
        Files.createDirectories(directory);
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
        var program = directory.resolve("agent");
        try {
            Files.createLink(program, agent);
        } catch (IOException | UnsupportedOperationException e) {
            // Another filesystem: the program is small.
            Files.copy(agent, program, StandardCopyOption.COPY_ATTRIBUTES);
        }
        if (!socket.equals(directory.resolve("agent.sock"))) {
            throw new IOException("the agent's socket must be " + directory.resolve("agent.sock") + ", not " + socket);
        }
        Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
        Files.setAttribute(socket, "unix:uid", owner);
    }

    /// Its mount inside.
    public static OciMount mount(Path directory) {
        return OciMount.readOnlyBind(directory, INSIDE);
    }
}
