package dev.caisson.testing;

import dev.caisson.remote.RemoteSandboxes;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.Tier;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.jspecify.annotations.Nullable;

/// A running node with its deadman for the tests of one class; after each test the leak checker runs.
///
/// Register it as a static field with `@RegisterExtension`.
public final class Installation implements BeforeAllCallback, AfterEachCallback, AfterAllCallback {
    private final Supplier<List<String>> prefix;
    private final boolean opensInternet;
    private final boolean runsMicrovms;
    private final int standbys;
    private final Set<SandboxId> told = new HashSet<>();
    private @Nullable Internet internet;
    private @Nullable TestHome home;
    private @Nullable Servers servers;
    private @Nullable RemoteSandboxes node;

    public Installation() {
        this(List::of);
    }

    /// @param prefix what its processes are started with; asked when they are
    public Installation(Supplier<List<String>> prefix) {
        this(prefix, false, false, 0);
    }

    private Installation(Supplier<List<String>> prefix, boolean opensInternet, boolean runsMicrovms, int standbys) {
        this.prefix = prefix;
        this.opensInternet = opensInternet;
        this.runsMicrovms = runsMicrovms;
        this.standbys = standbys;
    }

    /// One on a host whose only link leads into an [Internet], with a gateway that asks the name servers there and trusts the authority there.
    public static Installation inAnInternet() {
        return new Installation(List::of, true, false, 0);
    }

    /// The same, whose node can run microVMs as well.
    public Installation withMicrovms() {
        return new Installation(prefix, opensInternet, true, standbys);
    }

    /// The same, whose node makes so many microVMs of a kind ahead.
    public Installation withStandbys(int each) {
        return new Installation(prefix, opensInternet, runsMicrovms, each);
    }

    @Override
    public void beforeAll(ExtensionContext context) throws IOException, InterruptedException {
        home = runsMicrovms ? TestHome.withGuest() : TestHome.make();
        if (opensInternet) {
            Assumptions.assumeTrue(hasUser("caisson-gateway"), "no user caisson-gateway: run ./caisson setup");
            internet = Internet.open();
        }
        servers = new Servers(home, internet == null ? prefix.get() : internet.prefix());
        servers.start(Servers.Kind.DEADMAN);
        servers.start(Servers.Kind.NODE, "--standby", Integer.toString(standbys));
        if (opensInternet) {
            startGateway();
        }
        node = servers.node();
    }

    private static boolean hasUser(String name) throws IOException {
        try {
            FileSystems.getDefault().getUserPrincipalLookupService().lookupPrincipalByName(name);
            return true;
        } catch (UserPrincipalNotFoundException _) {
            return false;
        }
    }

    /// Starts the gateway; also again, after it was killed.
    public void startGateway() throws IOException {
        servers().start(Servers.Kind.GATEWAY, "--resolver", Internet.RESOLVER, "--extra-ca", internet().authority().toString());
    }

    public Internet internet() {
        return present(internet);
    }

    public TestHome home() {
        return present(home);
    }

    public Servers servers() {
        return present(servers);
    }

    public RemoteSandboxes node() {
        return present(node);
    }

    /// A new sandbox; a tier, or a driver that is named, that this machine cannot give skips the test with the reason.
    public Shell shell(SandboxSpec spec) {
        if (spec.driver().isPresent()) {
            return Shell.orSkip(node(), spec);
        }
        Assumptions.assumeTrue(node().status().tiers().contains(spec.tier()), "this machine cannot give tier " + spec.tier().label());
        SandboxInfo made = node().create(spec);
        return new Shell(node(), made.id());
    }

    public Shell shell(Tier tier) {
        return shell(Shell.spec(tier));
    }

    @Override
    public void afterEach(ExtensionContext context) throws Exception {
        node().deleteAll();
        var left = home().leftovers().after(Duration.ofSeconds(5));
        // What a receipt says could not be released: each is told once, by the test it happened in.
        var leaks = node().receipts(1000).stream().filter(receipt -> told.add(receipt.id())).flatMap(receipt -> receipt.resources().stream()).filter(check -> !check.gone()).toList();
        if (!left.isEmpty() || !leaks.isEmpty()) {
            throw new AssertionError("left behind by " + context.getDisplayName() + ": " + left + ", by the receipts " + leaks);
        }
    }

    @Override
    public void afterAll(ExtensionContext context) throws IOException, InterruptedException {
        if (node != null) {
            node.close();
        }
        boolean closesNode = servers != null && servers.isRunning(Servers.Kind.NODE);
        if (servers != null) {
            servers.close();
        }
        if (internet != null) {
            internet.close();
        }
        var left = closesNode ? home().leftovers().afterTheNode(Duration.ofSeconds(5)) : Set.<String>of();
        if (home != null) {
            home.close();
        }
        if (!left.isEmpty()) {
            throw new AssertionError("left behind by the node: " + left);
        }
    }

    private static <T> T present(@Nullable T value) {
        if (value == null) {
            throw new IllegalStateException("the installation is not running");
        }
        return value;
    }
}
