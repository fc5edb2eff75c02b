package dev.caisson.api.e2b;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Files;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/// Paths as clients write them: absolute, or relative to a user's home, which may also be written `~`.
final class GuestPaths {
    private static final int MAX_PATH = 4_096;
    private static final int MAX_PASSWD_BYTES = 1 << 20;

    private GuestPaths() {}

    /// The absolute form; nothing in it is resolved but the home.
    ///
    /// Errors: [Failure.Code#BAD_REQUEST] for what is no path, [Failure.Code#USER_NOT_FOUND].
    static String absolute(Files files, String path, String user) {
        if (path.indexOf('\0') >= 0 || path.length() > MAX_PATH) {
            throw Failure.Code.BAD_REQUEST.with("the path has a NUL character, or more than " + MAX_PATH + " characters", "name a file");
        }
        if (path.startsWith("/")) {
            return path;
        }
        if (path.startsWith("~") && path.length() > 1 && path.charAt(1) != '/') {
            throw Failure.Code.BAD_REQUEST.with("the home of another user cannot be written with ~: '" + Failure.shown(path) + "'", "write it out");
        }
        String below = path.startsWith("~") ? path.substring(1) : path;
        String home = home(files, user);
        String relative = below.startsWith("/") ? below.substring(1) : below;
        return relative.isEmpty() || relative.equals(".") ? home : (home.endsWith("/") ? home : home + "/") + relative;
    }

    /// As the guest itself says: its passwd may have been changed since it began.
    private static String home(Files files, String user) {
        String passwd;
        try (InputStream in = files.read("/etc/passwd", "root", 0, MAX_PASSWD_BYTES)) {
            passwd = new String(in.readNBytes(MAX_PASSWD_BYTES), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw Failure.Code.GUEST_FAILED.with("the users of the sandbox could not be read", "try again", e);
        }
        for (String line : passwd.split("\n", -1)) {
            String[] fields = line.split(":", -1);
            if (fields.length == 7 && fields[0].equals(user) && fields[5].startsWith("/")) {
                return fields[5];
            }
        }
        throw unknownUser(user);
    }

    static RuntimeException unknownUser(String user) {
        return Failure.Code.USER_NOT_FOUND.with("error looking up user '" + Failure.shown(user) + "': unknown user " + Failure.shown(user), "name a user of the sandbox");
    }
}
