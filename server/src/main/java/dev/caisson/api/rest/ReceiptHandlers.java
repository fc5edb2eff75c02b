package dev.caisson.api.rest;

import dev.caisson.json.Forms;
import dev.caisson.json.Json;
import dev.caisson.policy.Tenants;
import java.io.IOException;

/// `/v1/receipts`.
final class ReceiptHandlers {
    private static final int MAX = 1_000;
    private static final int DEFAULT = 100;
    private final Tenants tenants;

    ReceiptHandlers(Tenants tenants) {
        this.tenants = tenants;
    }

    void list(Call call) throws IOException {
        var receipts = tenants.of(call.caller()).receipts((int) call.query().whole("limit", 1, MAX, DEFAULT));
        call.largeJson(out -> Json.writeList(out, "receipts", receipts, Forms.RECEIPT));
    }

    void get(Call call) {
        call.json(200, Forms.RECEIPT.bytes(tenants.of(call.caller()).receipt(call.sandbox())));
    }
}
