package dev.caisson.egress;

import dev.caisson.sandbox.Failure;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// What is put into a sandbox whose TLS is opened, so that its programs trust its own authority beside those that everybody trusts.
///
/// Programs look in many places, and most of the variables replace what a program would trust otherwise: so they lead to a file that has all.
///
/// @param variables for every process, where the sandbox's own do not say otherwise
/// @param files in the order in which they are to be written
public record TrustSeeds(Map<String, String> variables, List<Seed> files) {
    /// The authority alone.
    public static final String AUTHORITY = "/etc/caisson/ca.pem";
    /// The authority and everybody else's.
    public static final String BUNDLE = "/etc/caisson/ca-bundle.pem";
    /// The same for Java: PKCS#12 without a password.
    public static final String JAVA_STORE = "/etc/caisson/ca.p12";

    /// What to do with a file.
    public enum How {
        /// Made anew with the directories above it, or replaced.
        CREATE,
        /// Written to the end of what is there; a file that is not there stays so.
        APPEND_IF_EXISTS
    }

    /// @param path absolute; where a symbolic link is, what it leads to inside of the sandbox
    /// @param mode of a file that is made, such as 0644
    public record Seed(String path, byte[] bytes, int mode, How how) {}

    private static final int MODE = 0644;
    /// Where tools that collect certificates into the system's bundle look for more of them.
    private static final String COLLECTED = "/usr/local/share/ca-certificates/caisson.crt";
    private static final List<String> CREATED = List.of(AUTHORITY, BUNDLE, JAVA_STORE, COLLECTED);
    private static final List<String> BUNDLES_OF_SYSTEMS = List.of(
            "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem");
    /// Replace what is trusted otherwise: OpenSSL, Go, Ruby and Python; then programs that have their own.
    private static final List<String> NEED_ALL = List.of(
            "SSL_CERT_FILE", "NIX_SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "HTTPLIB2_CA_CERTS", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO",
            "BUNDLE_SSL_CA_CERT", "HEX_CACERTS_PATH", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "PERL_LWP_SSL_CA_FILE", "JULIA_SSL_CA_ROOTS_PATH");
    /// Trusted beside the program's own.
    private static final List<String> ADD_ONE = List.of("NODE_EXTRA_CA_CERTS", "DENO_CERT");

    /// Whoever says otherwise is not the gateway that we made: it may say what is in the files, and nothing more.
    public TrustSeeds {
        variables = Map.copyOf(variables);
        files = List.copyOf(files);
        if (!variables.equals(environment())) {
            throw Failure.Code.BAD_REQUEST.with("variables that no gateway gives", "report this");
        }
        for (Seed file : files) {
            How known = CREATED.contains(file.path()) ? How.CREATE : BUNDLES_OF_SYSTEMS.contains(file.path()) ? How.APPEND_IF_EXISTS : null;
            if (file.how() != known || file.mode() != MODE) {
                throw Failure.Code.BAD_REQUEST.with("a file that no gateway gives: '" + Failure.shown(file.path()) + "'", "report this");
            }
        }
    }

    /// @param authority of the sandbox, in PEM
    /// @param others whom its programs trust where TLS is not opened
    public static TrustSeeds of(String authority, TrustedRoots others) {
        byte[] one = authority.getBytes(StandardCharsets.US_ASCII);
        var files = new ArrayList<Seed>();
        try {
            files.add(new Seed(AUTHORITY, one, MODE, How.CREATE));
            files.add(new Seed(BUNDLE, (authority + others.pem()).getBytes(StandardCharsets.US_ASCII), MODE, How.CREATE));
            files.add(new Seed(JAVA_STORE, javaStore(one, others), MODE, How.CREATE));
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException("certificates that cannot be written", e);
        }
        files.add(new Seed(COLLECTED, one, MODE, How.CREATE));
        for (String bundle : BUNDLES_OF_SYSTEMS) {
            files.add(new Seed(bundle, ("\n" + authority).getBytes(StandardCharsets.US_ASCII), MODE, How.APPEND_IF_EXISTS));
        }
        return new TrustSeeds(environment(), files);
    }

    private static Map<String, String> environment() {
        var variables = new TreeMap<String, String>();
        NEED_ALL.forEach(name -> variables.put(name, BUNDLE));
        ADD_ONE.forEach(name -> variables.put(name, AUTHORITY));
        variables.put("JAVA_TOOL_OPTIONS", "-Djavax.net.ssl.trustStore=" + JAVA_STORE + " -Djavax.net.ssl.trustStoreType=PKCS12");
        return variables;
    }

    private static byte[] javaStore(byte[] authority, TrustedRoots others) throws IOException, GeneralSecurityException {
        var store = others.store();
        store.setCertificateEntry("caisson", CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(authority)));
        var bytes = new ByteArrayOutputStream();
        store.store(bytes, null);
        return bytes.toByteArray();
    }
}
