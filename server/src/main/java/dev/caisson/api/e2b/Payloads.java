package dev.caisson.api.e2b;

import dev.caisson.json.Json;
import dev.caisson.policy.SandboxTokens;
import dev.caisson.policy.SandboxTokens.Purpose;
import dev.caisson.policy.Waking;
import dev.caisson.sandbox.EgressLayer;
import dev.caisson.sandbox.Limits;
import dev.caisson.sandbox.SandboxInfo;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.SandboxState;
import dev.caisson.sandbox.UsageSample;
import java.time.temporal.ChronoUnit;
import tools.jackson.core.JsonGenerator;

/// Sandboxes as E2B's clients read them.
final class Payloads {
    /// The version of E2B's guest server whose behaviour is served: clients open their features by it.
    static final String ENVD_VERSION = "0.6.13";
    private static final long MIB = 1 << 20;

    private final SandboxTokens tokens;
    private final E2bSettings settings;

    Payloads(SandboxTokens tokens, E2bSettings settings) {
        this.tokens = tokens;
        this.settings = settings;
    }

    /// What a create, connect or resume answers.
    void writeSandbox(SandboxInfo info, JsonGenerator out) {
        writeNames(info, out);
        writeSecrets(info, out);
        out.writeStringProperty("trafficAccessToken", tokens.token(info.id(), Purpose.TRAFFIC));
    }

    /// What a get answers.
    void writeDetail(SandboxInfo info, JsonGenerator out) {
        writeListed(info, out);
        writeSecrets(info, out);
        writeNetwork(info.spec(), out);
        out.writeObjectPropertyStart("lifecycle");
        out.writeStringProperty("onTimeout", info.spec().onLeaseEnd() == SandboxSpec.OnLeaseEnd.PAUSE ? "pause" : "kill");
        out.writeBooleanProperty("autoResume", Waking.isWanted(info.spec()));
        out.writeEndObject();
    }

    /// What was asked for; template, tenant and operator may allow less.
    private static void writeNetwork(SandboxSpec spec, JsonGenerator out) {
        EgressLayer asked = spec.egress().layers().getFirst();
        out.writeBooleanProperty("allowInternetAccess", asked.mode() == EgressLayer.Mode.OPEN);
        out.writeObjectPropertyStart("network");
        Json.writeTexts(out, "allowOut", NetworkWish.allowOut(asked));
        Json.writeTexts(out, "denyOut", NetworkWish.denyOut(asked));
        out.writeBooleanProperty("allowPublicTraffic", spec.publicPorts());
        out.writeEndObject();
    }

    /// What a list holds of each.
    void writeListed(SandboxInfo info, JsonGenerator out) {
        writeNames(info, out);
        out.writeStringProperty("startedAt", info.created().truncatedTo(ChronoUnit.MILLIS).toString());
        out.writeStringProperty("endAt", info.expires().truncatedTo(ChronoUnit.MILLIS).toString());
        out.writeStringProperty("state", info.state() == SandboxState.PAUSED ? "paused" : "running");
        if (info.state() == SandboxState.PAUSED) {
            out.writeStringProperty("pauseMode", "full");
        }
        Limits limits = info.spec().limits();
        out.writeNumberProperty("cpuCount", wholeCpus(limits.cpus().millis()));
        out.writeNumberProperty("memoryMB", limits.memory().bytes() / MIB);
        out.writeNumberProperty("diskSizeMB", limits.disk().bytes() / MIB);
        Json.writeMap(out, "metadata", Metadata.ofLabels(info.spec().labels()));
    }

    static void writeMetric(UsageSample sample, JsonGenerator out) {
        out.writeStartObject();
        out.writeStringProperty("timestamp", sample.at().truncatedTo(ChronoUnit.MILLIS).toString());
        out.writeNumberProperty("timestampUnix", sample.at().getEpochSecond());
        out.writeNumberProperty("cpuCount", wholeCpus(sample.cpus().millis()));
        out.writeNumberProperty("cpuUsedPct", percent(sample));
        out.writeNumberProperty("memUsed", sample.memoryUsed().bytes());
        out.writeNumberProperty("memTotal", sample.memoryTotal().bytes());
        out.writeNumberProperty("memCache", sample.memoryCache().bytes());
        out.writeNumberProperty("diskUsed", sample.diskUsed().bytes());
        out.writeNumberProperty("diskTotal", sample.diskTotal().bytes());
        out.writeEndObject();
    }

    static double percent(UsageSample sample) {
        return Math.round(sample.cpuUsedPercent() * 100) / 100.0;
    }

    /// Clients know whole CPUs only: a part of one counts as one.
    static int wholeCpus(int millis) {
        return Math.max(1, (millis + 999) / 1000);
    }

    private static void writeNames(SandboxInfo info, JsonGenerator out) {
        out.writeStringProperty("sandboxID", info.id().value());
        out.writeStringProperty("templateID", info.spec().template().value());
        out.writeStringProperty("alias", info.spec().template().value());
        // Once the machine a sandbox was on; clients still want the key.
        out.writeStringProperty("clientID", "caisson");
        out.writeStringProperty("envdVersion", ENVD_VERSION);
    }

    private void writeSecrets(SandboxInfo info, JsonGenerator out) {
        out.writeStringProperty("envdAccessToken", tokens.token(info.id(), Purpose.CONTROL));
        settings.domain().ifPresent(domain -> out.writeStringProperty("domain", domain));
    }
}
