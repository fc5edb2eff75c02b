package dev.caisson.sandbox;

import java.io.InputStream;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The files of one sandbox. Every path is the guest's: absolute, or relative to the user's home; resolved inside the sandbox only.
///
/// `user` is the guest user on whose rights the call is made, unless they are [Rights#ROOT]; empty means the template's default user.
/// Errors: [Failure.Code#FILE_NOT_FOUND], [Failure.Code#FILE_DENIED], [Failure.Code#FILE_EXISTS], [Failure.Code#NOT_A_DIRECTORY],
/// [Failure.Code#IS_A_DIRECTORY], [Failure.Code#DISK_FULL], [Failure.Code#USER_NOT_FOUND], [Failure.Code#FILE_FAILED].
public interface Files {
    /// Whose rights the calls have.
    enum Rights {
        /// Those of the user named in the call.
        USER,
        /// Those of the guest's root: the user named only says where relative paths begin, and to whom belongs what is made or written.
        ROOT
    }

    /// Bytes of a file, from `offset`, at most `length`; close ends the transfer.
    InputStream read(String path, String user, long offset, long length);

    /// Replaces a file by what `content` brings, making missing parent directories; the old content stays until all of it has arrived. A file that was there
    /// keeps its mode, and its owner where the rights allow that; one with other names (hard links) stays the same file under all of them; a symbolic link is
    /// followed.
    ///
    /// @param mode permission bits of a new file; -1 means 0644
    /// @param metadata what [FileInfo#metadata] tells from then on, in place of all that it told before: names of 1 to 246 bytes, 4096 bytes in all
    FileInfo write(String path, String user, int mode, Map<String, String> metadata, InputStream content);

    /// The same without metadata.
    default FileInfo write(String path, String user, int mode, InputStream content) {
        return write(path, user, mode, Map.of(), content);
    }

    FileInfo stat(String path, String user);

    /// Entries of a directory down to `depth` (1: its own entries), at most 100,000.
    List<FileInfo> list(String path, String user, int depth);

    /// Makes a directory and its missing parents; false when it was there already.
    boolean makeDirectory(String path, String user);

    FileInfo rename(String from, String to, String user);

    /// Removes a file, or a directory with all in it.
    void remove(String path, String user);

    /// Changes under a directory, as they come, until closed.
    FileWatch watch(String path, String user, boolean recursive);

    /// A running watch. One thread takes events; close may come from another.
    interface FileWatch extends AutoCloseable {
        /// The next change; empty when the watch has ended, or was closed by another thread.
        Optional<FileEvent> next() throws InterruptedException;

        @Override
        void close();
    }
}
