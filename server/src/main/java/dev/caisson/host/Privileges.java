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
    /// Errors: an [IOException] when there is no such user, or the process is not root.
    public static void become(String user) throws IOException {
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
