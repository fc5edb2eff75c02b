package dev.caisson.egress;

import dev.caisson.json.Form;
import dev.caisson.json.Forms;
import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.Cidr;
import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.SandboxId;
import java.net.InetAddress;
import tools.jackson.core.JsonGenerator;

final class RegistrationForm implements Form<Registration> {
    static final RegistrationForm FORM = new RegistrationForm();

    @Override
    public void writeKeys(Registration value, JsonGenerator out) {
        out.writeStringProperty("sandbox", value.sandbox().value());
        out.writeStringProperty("address", value.address().getHostAddress());
        out.writeStringProperty("address6", value.address6().getHostAddress());
        out.writeStringProperty("created", value.created().toString());
        out.writeName("egress");
        Forms.EGRESS.write(value.egress(), out);
    }

    @Override
    public Registration readKeys(JsonObject in) {
        return new Registration(new SandboxId(in.text("sandbox")), address(in.text("address")), address(in.text("address6")), in.time("created"), in.object("egress", Forms.EGRESS));
    }

    private static InetAddress address(String text) {
        if (!Cidr.looksLikeOne(text)) {
            throw Failure.Code.BAD_REQUEST.with("not an address: '" + Failure.shown(text) + "'", "write it in digits");
        }
        try {
            return InetAddress.ofLiteral(text);
        } catch (IllegalArgumentException e) {
            throw Failure.Code.BAD_REQUEST.with("not an address: '" + Failure.shown(text) + "'", "write it in digits", e);
        }
    }
}
