package dev.caisson.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.caisson.guest.wire.Request;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class AwakeningTest {
    private static final int FRAME_HEADER = 12;
    private static final byte[] ID = new byte[Awakening.ID_BYTES];

    @Test
    void isOnTheWireWhatTheAgentsTestsRead() throws IOException {
        byte[] machine = new byte[Awakening.ID_BYTES];
        byte[] boot = new byte[Awakening.ID_BYTES];
        for (int i = 0; i < Awakening.ID_BYTES; i++) {
            machine[i] = (byte) i;
            boot[i] = (byte) (Awakening.ID_BYTES + i);
        }
        var addresses = List.of(new Awakening.Address(address("10.0.0.2"), 30), new Awakening.Address(address("fd00::2"), 126));
        var awakening = new Awakening(machine, boot, addresses, List.of(address("10.0.0.1"), address("fd00::1")));
        byte[] golden = Files.readAllBytes(Path.of("..", "agent", "golden", "open-awaken.bin"));
        var request = Request.parseFrom(Arrays.copyOfRange(golden, FRAME_HEADER, golden.length));
        assertThat(awakening.wire()).isEqualTo(request.getAdopt().getAwakening());
    }

    @Test
    void refusesIdsOfAnotherLength() {
        assertThatIllegalArgumentException().isThrownBy(() -> new Awakening(new byte[15], ID, List.of(), List.of()));
        assertThatIllegalArgumentException().isThrownBy(() -> new Awakening(ID, new byte[32], List.of(), List.of()));
    }

    @Test
    void refusesWhatIsNoNetwork() {
        assertThatIllegalArgumentException().isThrownBy(() -> new Awakening.Address(address("10.0.0.2"), 33)).withMessageContaining("10.0.0.2");
        assertThatIllegalArgumentException().isThrownBy(() -> new Awakening.Address(address("fd00::2"), 129));
        assertThatIllegalArgumentException().isThrownBy(() -> new Awakening(ID, ID, List.of(), List.of(address("10.0.0.1"), address("10.0.0.5"))));
        var many = Collections.nCopies(17, new Awakening.Address(address("10.0.0.2"), 30));
        assertThatIllegalArgumentException().isThrownBy(() -> new Awakening(ID, ID, many, List.of()));
    }

    private static InetAddress address(String literal) {
        return InetAddress.ofLiteral(literal);
    }
}
