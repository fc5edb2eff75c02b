package dev.caisson.edge;

import java.io.IOException;
import java.security.GeneralSecurityException;

/// Where the certificate for the preview domain comes from. Threads: one at a time.
interface CertificateSource {
    /// The one to show now. Asked again and again: makes, orders or reads a newer one when it is time; may take as long as that does.
    KeyMaterial current() throws IOException, GeneralSecurityException, InterruptedException;
}
