package dev.caisson.json;

import dev.caisson.sandbox.EndReason;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.Receipt;
import dev.caisson.sandbox.SandboxId;
import dev.caisson.sandbox.SandboxSpec;
import dev.caisson.sandbox.TemplateName;
import dev.caisson.sandbox.Tier;
import dev.caisson.sandbox.Trust;
import java.util.TreeMap;
import tools.jackson.core.JsonGenerator;

/// `leaks` says again what the list of resources says, for readers that only want the number; the two must agree.
final class ReceiptForm implements Form<Receipt> {
    private static final Form<Receipt.Check> CHECK = new CheckForm();

    @Override
    public void writeKeys(Receipt value, JsonGenerator out) {
        out.writeStringProperty("id", value.id().value());
        out.writeStringProperty("template", value.template().value());
        out.writeStringProperty("tier", value.tier().label());
        DriverKeys.write(value.driver(), out);
        out.writeStringProperty("trust", value.trust().label());
        out.writeStringProperty("image_digest", value.imageDigest());
        out.writeStringProperty("created_at", value.created().toString());
        out.writeStringProperty("ended_at", value.ended().toString());
        out.writeStringProperty("reason", Json.label(value.reason()));
        out.writeStringProperty("by", value.by());
        out.writeStringProperty("tenant", value.tenant());
        out.writeName("usage");
        Forms.USAGE.write(value.usage(), out);
        out.writeObjectPropertyStart("denied");
        new TreeMap<>(value.denied()).forEach((what, count) -> out.writeNumberProperty(what, count.longValue()));
        out.writeEndObject();
        out.writeNumberProperty("leaks", value.leaks());
        Json.writeList(out, "resources", value.resources(), CHECK);
    }

    @Override
    public Receipt readKeys(JsonObject in) {
        var receipt = new Receipt(
                new SandboxId(in.text("id")),
                new TemplateName(in.text("template")),
                Tier.parse(in.text("tier")),
                DriverKeys.read(in),
                Trust.parse(in.text("trust")),
                in.text("image_digest"),
                in.time("created_at"),
                in.time("ended_at"),
                in.word("reason", EndReason.class),
                in.object("usage", Forms.USAGE),
                in.counts("denied"),
                in.objects("resources", CHECK),
                in.text("by"),
                // Receipts of before there were tenants do not name one.
                in.text("tenant", SandboxSpec.DEFAULT_TENANT));
        long leaks = in.whole("leaks", 0, Long.MAX_VALUE);
        if (leaks != receipt.leaks()) {
            throw Failure.Code.BAD_REQUEST.with("the receipt of " + receipt.id() + " says " + leaks + " leaks but lists " + receipt.leaks(), "take the receipt from its source again");
        }
        return receipt;
    }
}
