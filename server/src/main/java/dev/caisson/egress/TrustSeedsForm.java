package dev.caisson.egress;

import dev.caisson.json.Form;
import dev.caisson.json.Json;
import dev.caisson.json.JsonObject;
import dev.caisson.sandbox.Failure;
import java.util.Base64;
import tools.jackson.core.JsonGenerator;

final class TrustSeedsForm implements Form<TrustSeeds> {
    static final TrustSeedsForm FORM = new TrustSeedsForm();

    @Override
    public void writeKeys(TrustSeeds value, JsonGenerator out) {
        Json.writeMap(out, "variables", value.variables());
        Json.writeList(out, "files", value.files(), SeedForm.FORM);
    }

    @Override
    public TrustSeeds readKeys(JsonObject in) {
        return new TrustSeeds(in.map("variables"), in.objects("files", SeedForm.FORM));
    }

    private static final class SeedForm implements Form<TrustSeeds.Seed> {
        static final SeedForm FORM = new SeedForm();

        @Override
        public void writeKeys(TrustSeeds.Seed value, JsonGenerator out) {
            out.writeStringProperty("path", value.path());
            out.writeStringProperty("content", Base64.getEncoder().encodeToString(value.bytes()));
            out.writeNumberProperty("mode", value.mode());
            out.writeStringProperty("how", Json.label(value.how()));
        }

        @Override
        public TrustSeeds.Seed readKeys(JsonObject in) {
            try {
                return new TrustSeeds.Seed(in.text("path"), Base64.getDecoder().decode(in.text("content")), in.whole("mode", 0, 0777), in.word("how", TrustSeeds.How.class));
            } catch (IllegalArgumentException e) {
                throw Failure.Code.BAD_REQUEST.with("a file's content is not base64", "report this", e);
            }
        }
    }
}
