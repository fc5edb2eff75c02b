package dev.caisson.host;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Giving up root.
public final class Privileges {
    private Privileges() {}

    /// Makes this process, with all its threads, one of that system user, without capabilities and without other groups. There is no way back.
    ///
    /// Errors: an [IOException] when there is no such user, the process is not root, or it was started so that it could gain rights again.
    public static void become(String user) throws IOException {
        // A thread's own matter, so it cannot be made up for here: whoever starts the process sees to it.
        if (Files.readAllLines(Path.of("/proc/self/status")).stream().noneMatch(line -> line.matches("NoNewPrivs:\\s*1"))) {
            throw new IOException("this process could gain rights by running a program; start it with setpriv --no-new-privs");
        }
        for (String line : Files.readAllLines(Path.of("/etc/passwd"), StandardCharsets.ISO_8859_1)) {
            var parts = List.of(line.split(":", -1));
            if (parts.size() > 3 && parts.getFirst().equals(user)) {
                int uid = Integer.parseInt(parts.get(2));
                if (uid == 0) {
                    throw new IOException("the system user " + user + " is root");
                }
                NativeLinux.becomeUser(uid, Integer.parseInt(parts.get(3)));
                return;
            }
        }
        throw new IOException("there is no system user " + user + "; make it with: useradd --system --user-group " + user);
    }
}
