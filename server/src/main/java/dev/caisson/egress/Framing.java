package dev.caisson.egress;

import java.util.List;

/// Where a message's content ends.
sealed interface Framing {
    /// There is none.
    record None() implements Framing {}

    record Fixed(long length) implements Framing {}

    record Chunked() implements Framing {}

    /// With the connection; of answers only.
    record UntilClose() implements Framing {}

    Framing NONE = new None();

    /// Of a request.
    static Framing of(RequestHead head) throws BadHttp {
        return stated(head.fields(), head.minor(), NONE);
    }

    /// Of an answer.
    ///
    /// @param toHead the request was HEAD
    static Framing of(ResponseHead head, boolean toHead) throws BadHttp {
        boolean none = toHead || head.status() < 200 || head.status() == 204 || head.status() == 304;
        Framing stated = stated(head.fields(), head.minor(), new UntilClose());
        return none ? NONE : stated;
    }

    private static Framing stated(HeadFields fields, int minor, Framing otherwise) throws BadHttp {
        List<String> lengths = fields.values("content-length");
        List<String> codings = fields.values("transfer-encoding");
        if (!codings.isEmpty()) {
            if (!lengths.isEmpty()) {
                throw new BadHttp(400, "both Content-Length and Transfer-Encoding");
            }
            if (minor == 0) {
                throw new BadHttp(400, "Transfer-Encoding in HTTP/1.0");
            }
            if (codings.size() != 1 || !codings.getFirst().equalsIgnoreCase("chunked")) {
                throw new BadHttp(501, "a Transfer-Encoding that is not exactly 'chunked'");
            }
            return new Chunked();
        }
        if (lengths.isEmpty()) {
            return otherwise;
        }
        if (lengths.size() != 1) {
            throw new BadHttp(400, "more than one Content-Length");
        }
        if (!lengths.getFirst().matches("[0-9]{1,18}")) {
            throw new BadHttp(400, "a Content-Length that is not a number");
        }
        return new Fixed(Long.parseLong(lengths.getFirst()));
    }
}
