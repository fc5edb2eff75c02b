package dev.caisson.remote;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.caisson.fake.FakeSandboxes;
import dev.caisson.link.Link;
import dev.caisson.link.LinkLimits;
import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.Egress;
import dev.caisson.sandbox.EgressBudget;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.EgressRule;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Flow;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SandboxException;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SecretBinding;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What is said of the way out comes to the node as it was said, and back.
@Timeout(60)
class EgressOverTheLinkTest {
    private static final Egress EGRESS = new Egress(
            List.of(new EgressLayer(EgressLayer.REQUEST, EgressLayer.Mode.LIST, List.of(EgressRule.deny("x.example.com"), EgressRule.allow("*.example.com:8443"))),
                    new EgressLayer("operator", EgressLayer.Mode.OPEN, List.of())),
            new EgressBudget(9, ByteSize.mib(5), 77),
            List.of(new SecretBinding("TOKEN", "csn-0123456789abcdefghijkl", List.of(HostPattern.parse("api.example.com")), Set.of(SecretBinding.Place.HEADER), "c2VhbGVk")));

    @TempDir
    Path directory;

    @Test
    void aSandboxIsMadeWithItAndItIsChanged() throws Exception {
        try (var node = new Node()) {
            var made = node.remote.create(SandboxSpec.defaults().withEgress(EGRESS));
            assertThat(node.sandboxes.get(made.id()).spec().egress()).isEqualTo(EGRESS);
            assertThat(node.remote.get(made.id()).spec().egress()).isEqualTo(EGRESS);
            var changed = node.remote.setEgress(made.id(), Egress.NONE);
            assertThat(changed.spec().egress()).isEqualTo(Egress.NONE);
            assertThat(node.sandboxes.get(made.id()).spec().egress()).isEqualTo(Egress.NONE);
            assertThatThrownBy(() -> node.remote.setEgress(new SandboxId("sbaaaaaaaaaaaaaaaaaa"), EGRESS)).isInstanceOfSatisfying(SandboxException.class, e -> assertThat(e.code()).isEqualTo(Failure.Code.SANDBOX_NOT_FOUND));
        }
    }

    @Test
    void flowsComeInTheirOrderAlsoWhenTheyAreMany() throws Exception {
        try (var node = new Node()) {
            var id = node.remote.create(SandboxSpec.defaults()).id();
            List<Flow> all = LongStream.rangeClosed(1, 1_200)
                    .mapToObj(n -> new Flow(n, Instant.EPOCH, Instant.EPOCH, "a".repeat(200) + ".example", "", 0, "dns", "", "request:default", false, "no rule allows it", n, 2 * n, 3)).toList();
            node.sandboxes.plant(id, all);
            assertThat(node.remote.flows(id, 0, 1_000)).isEqualTo(all.subList(0, 1_000));
            assertThat(node.remote.flows(id, 1_000, 1_000)).isEqualTo(all.subList(1_000, 1_200));
            assertThat(node.remote.flows(id, 1_199, 5)).isEqualTo(all.subList(1_199, 1_200));
            assertThat(node.remote.flows(id, Long.MAX_VALUE, 5)).isEmpty();
        }
    }

    /// Fake sandboxes behind a socket, and the other end of it.
    private final class Node implements AutoCloseable {
        private final FakeSandboxes sandboxes = new FakeSandboxes(directory.resolve("boxes"));
        private final ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        private final RemoteSandboxes remote;

        Node() throws IOException {
            Path socket = directory.resolve("node.sock");
            server.bind(UnixDomainSocketAddress.of(socket));
            var serving = new SandboxesServer(sandboxes, () -> {});
            Thread.ofVirtual().start(() -> {
                try {
                    Link.start(server.accept(), Link.Side.LISTENED, LinkLimits.INTERNAL, serving::accept, "front");
                } catch (IOException _) {
                    // The test is over.
                }
            });
            remote = RemoteSandboxes.connect(socket);
        }

        @Override
        public void close() throws IOException {
            remote.close();
            server.close();
            sandboxes.close();
        }
    }
}
