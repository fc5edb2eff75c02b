package dev.caisson.api.mcp;

import dev.caisson.json.JsonObject;
import dev.caisson.policy.Quota;
import dev.caisson.policy.Tenants;
import dev.caisson.policy.TierPolicy;
import dev.caisson.policy.WayOut;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxId;
import java.util.List;
import java.util.stream.Stream;

/// Everything a model can do here.
final class Tools {
    static final String VERSION = "0.1.0";
    /// Said to a model once, at the beginning.
    static final String INSTRUCTIONS =
            """
            Runs code and commands in sandboxes: Linux machines of their own, each behind a wall, for code that nobody has read.
            Make one with create_sandbox and give its sandbox_id to the other tools. Files and processes stay between calls until the sandbox ends: \
            by kill_sandbox, when its time is over, or when it uses more memory than it was given. After that nothing of it can be had back, so read_file what is worth keeping.
            A sandbox has no network but to the hosts that create_sandbox was told in `allow`, as far as the operator lets it: no other downloads, no other machines; it sees nothing \
            of the user's files either. Bring what is needed in with write_file. list_egress says what it tried to reach, and why something was refused. Python 3, Node.js and bash are there in the template `base`.
            Commands run as an ordinary user in its home directory. Each starts afresh: a `cd` or a variable does not last until the next call.
            kill_sandbox when you are done.""";
    private static final String ID = "^sb[a-z2-7]{18}$";

    private Tools() {}

    static List<Tool> all(Tenants tenants, TierPolicy tiers, Quota quota, WayOut ways, PreviewLinks links) {
        return Stream.of(
                        new SandboxTools(tenants, tiers, quota, ways).all(), new CommandTools(tenants).all(), new FileTools(tenants).all(), new PortTools(tenants, links).all(),
                        new EgressTools(tenants).all())
                .flatMap(List::stream).toList();
    }

    /// The argument that nearly every tool has.
    static Schema sandboxId() {
        return Schema.text().with("pattern", ID).says("As create_sandbox answered it.");
    }

    static SandboxId sandboxId(JsonObject in) {
        return new SandboxId(in.text("sandbox_id"));
    }

    static String bounded(String name, String value, int most) {
        if (value.length() > most) {
            throw Failure.Code.OUT_OF_RANGE.with("'" + name + "' is longer than " + most + " characters", "give it in pieces");
        }
        return value;
    }
}
