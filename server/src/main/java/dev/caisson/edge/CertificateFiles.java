package dev.caisson.edge;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.GeneralSecurityException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The operator's own certificate and key, in PEM; read again when a file has changed.
final class CertificateFiles implements CertificateSource {
    private final Path certificates;
    private final Path key;
    private List<FileTime> readAt = List.of();
    private @Nullable KeyMaterial last;

    CertificateFiles(Path certificates, Path key) {
        this.certificates = certificates;
        this.key = key;
    }

    @Override
    public KeyMaterial current() throws IOException, GeneralSecurityException {
        // Before reading, so that a change meanwhile is seen next time.
        var changed = List.of(Files.getLastModifiedTime(certificates), Files.getLastModifiedTime(key));
        KeyMaterial known = last;
        if (known != null && changed.equals(readAt)) {
            return known;
        }
        var read = KeyMaterial.read(certificates, key);
        last = read;
        readAt = changed;
        return read;
    }
}
