package dev.caisson.node;

import static org.assertj.core.api.Assertions.assertThat;

import dev.caisson.sandbox.Life;
import dev.caisson.sandbox.Life.Decision;
import dev.caisson.sandbox.Life.Request;
import dev.caisson.sandbox.SandboxState;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// The pure rule of a sandbox's life, under random sequences of requests.
class LifeTest {
    @Test
    void noSequenceLeavesTheOneWayStreet() {
        for (int seed = 0; seed < 2_000; seed++) {
            var random = new Random(seed);
            var state = SandboxState.CREATING;
            boolean ended = false;
            for (int i = 0; i < 50; i++) {
                var request = Request.values()[random.nextInt(Request.values().length)];
                if (Life.decide(state, request) instanceof Decision.Accept(SandboxState next)) {
                    boolean goesOn = request == Request.RESUME && state == SandboxState.PAUSED && next == SandboxState.RUNNING;
                    assertThat(goesOn || next.ordinal() >= state.ordinal()).as("%s in %s", request, state).isTrue();
                    assertThat(request != Request.USE || state == SandboxState.RUNNING).as("used only while running").isTrue();
                    assertThat(next != SandboxState.DELETED || ended).as("deleted only after its end was decided").isTrue();
                    ended |= request == Request.END;
                    state = next;
                }
            }
        }
    }

    @Test
    void onlyWhatRunsIsPausedAndOnlyWhatIsPausedGoesOn() {
        for (SandboxState state : SandboxState.values()) {
            assertThat(Life.decide(state, Request.PAUSE) instanceof Decision.Accept).as("pause in %s", state).isEqualTo(state == SandboxState.RUNNING);
            assertThat(Life.decide(state, Request.RESUME) instanceof Decision.Accept).as("resume in %s", state).isEqualTo(state == SandboxState.PAUSED);
        }
        assertThat(Life.decide(SandboxState.PAUSED, Request.USE)).isEqualTo(new Decision.Deny("it is paused"));
        assertThat(Life.decide(SandboxState.PAUSED, Request.END)).isEqualTo(new Decision.Accept(SandboxState.DELETING));
    }

    @Test
    void endingTwiceIsHarmlessAndNothingComesAfter() {
        assertThat(Life.decide(SandboxState.DELETING, Request.END)).isInstanceOf(Decision.Ignore.class);
        assertThat(Life.decide(SandboxState.DELETED, Request.END)).isInstanceOf(Decision.Ignore.class);
        assertThat(Life.decide(SandboxState.DELETING, Request.AGENT_READY)).isInstanceOf(Decision.Deny.class);
        assertThat(Life.decide(SandboxState.DELETED, Request.USE)).isInstanceOf(Decision.Deny.class);
        assertThat(Life.decide(SandboxState.CREATING, Request.USE)).isInstanceOf(Decision.Deny.class);
    }
}
