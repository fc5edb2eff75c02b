package dev.caisson.egress;

import dev.caisson.sandbox.Failure;
import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SandboxException;
import java.util.Optional;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Type;

/// Answers one DNS query of a sandbox.
///
/// A name that may be allowed is asked for upstream first; of one that is there, a sandbox is told its synthetic addresses and that it has nothing else. A name that is denied, unknown or
/// has no address that may be reached does not exist, in the same bytes. A denied name is never asked for anywhere, nor is one below `arpa`, where addresses are looked up.
/// Threads: safe for many, blocking.
final class NameService {
    private static final int MAX_SHOWN = 253;

    private final Upstream upstream;

    NameService(Upstream upstream) {
        this.upstream = upstream;
    }

    /// The answer; empty when it gets none.
    Optional<byte[]> answer(byte[] query, NameView view) throws InterruptedException {
        boolean inBudget = view.spend();
        return switch (NameQuery.read(query)) {
            case NameQuery.Silence _ -> Optional.empty();
            case NameQuery.Refused refused -> inBudget ? Optional.of(NameReply.refused(refused)) : Optional.empty();
            case NameQuery.Question question -> Optional.of(inBudget ? answer(question, view) : told(question, view, Failure.shown(question.name(), MAX_SHOWN), NameView.Outcome.OVER_BUDGET, "", Rcode.REFUSED));
        };
    }

    private byte[] answer(NameQuery.Question question, NameView view) throws InterruptedException {
        if (question.dclass() != DClass.IN) {
            return told(question, view, Failure.shown(question.name(), MAX_SHOWN), NameView.Outcome.DENIED, "it is not of the internet class", Rcode.REFUSED);
        }
        String name;
        try {
            name = HostPattern.normal(question.name());
        } catch (SandboxException _) {
            return told(question, view, Failure.shown(question.name(), MAX_SHOWN), NameView.Outcome.DENIED, "it is not a host's name", Rcode.NXDOMAIN);
        }
        if (name.equals("arpa") || name.endsWith(".arpa") || !view.mayLookUp(name)) {
            return told(question, view, name, NameView.Outcome.DENIED, "", Rcode.NXDOMAIN);
        }
        return switch (upstream.resolve(name)) {
            case Resolution.NotThere _ -> told(question, view, name, NameView.Outcome.UNKNOWN, "", Rcode.NXDOMAIN);
            case Resolution.Failed(String reason) -> told(question, view, name, NameView.Outcome.FAILED, reason, Rcode.SERVFAIL);
            case Resolution.Found found when !view.accepts(name, found) -> told(question, view, name, NameView.Outcome.FILTERED, "", Rcode.NXDOMAIN);
            case Resolution.Found _ -> given(question, view, name);
        };
    }

    private static byte[] given(NameQuery.Question question, NameView view, String name) {
        if (question.type() != Type.A && question.type() != Type.AAAA) {
            return told(question, view, name, NameView.Outcome.ANSWERED, "only addresses are looked up", Rcode.NOERROR);
        }
        var pair = view.addressesFor(name);
        if (pair.isEmpty()) {
            return told(question, view, name, NameView.Outcome.FULL, "a sandbox has at most " + SyntheticAddresses.MAX_NAMES + " names", Rcode.REFUSED);
        }
        view.heard(name, NameView.Outcome.ANSWERED, "");
        return NameReply.address(question, question.type() == Type.A ? pair.get().four() : pair.get().six());
    }

    private static byte[] told(NameQuery.Question question, NameView view, String name, NameView.Outcome outcome, String reason, int rcode) {
        view.heard(name, outcome, reason);
        return NameReply.empty(question, rcode);
    }
}
