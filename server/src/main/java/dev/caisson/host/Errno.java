package dev.caisson.host;

/// Names of the error numbers that our native calls answer. The numbers are the same on x86-64 and arm64.
final class Errno {
    static final int EPERM = 1;
    static final int ENOENT = 2;
    static final int ESRCH = 3;
    static final int ENXIO = 6;
    static final int EACCES = 13;
    static final int EBUSY = 16;
    static final int EEXIST = 17;
    static final int ENODEV = 19;
    static final int EINVAL = 22;
    static final int ENOSYS = 38;

    private Errno() {}

    static String name(int number) {
        return switch (number) {
            case EPERM -> "EPERM (not permitted)";
            case ENOENT -> "ENOENT (no such file)";
            case ESRCH -> "ESRCH (no such process)";
            case 5 -> "EIO (input/output error)";
            case ENXIO -> "ENXIO (no such device or address)";
            case 9 -> "EBADF (bad descriptor)";
            case 11 -> "EAGAIN (try again)";
            case 12 -> "ENOMEM (out of memory)";
            case EACCES -> "EACCES (permission denied)";
            case 15 -> "ENOTBLK (not a block device)";
            case EBUSY -> "EBUSY (in use)";
            case EEXIST -> "EEXIST (exists)";
            case ENODEV -> "ENODEV (no such device or filesystem)";
            case 20 -> "ENOTDIR (not a directory)";
            case EINVAL -> "EINVAL (invalid)";
            case 23 -> "ENFILE (too many open files on the machine)";
            case 24 -> "EMFILE (too many open files)";
            case 28 -> "ENOSPC (no space left)";
            case 30 -> "EROFS (read-only filesystem)";
            case EINVAL + 14 -> "ENAMETOOLONG (name too long)";
            case ENOSYS -> "ENOSYS (this kernel does not know it)";
            case 95 -> "EOPNOTSUPP (not supported)";
            case 117 -> "EUCLEAN (filesystem is damaged)";
            default -> "errno " + number;
        };
    }
}
