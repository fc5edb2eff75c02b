package dev.caisson.egress;

import dev.caisson.sandbox.HostPattern;
import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.xbill.DNS.AAAARecord;
import org.xbill.DNS.ARecord;
import org.xbill.DNS.CNAMERecord;
import org.xbill.DNS.DClass;
import org.xbill.DNS.Flags;
import org.xbill.DNS.Message;
import org.xbill.DNS.Name;
import org.xbill.DNS.Opcode;
import org.xbill.DNS.Rcode;
import org.xbill.DNS.Record;
import org.xbill.DNS.Section;

/// What a resolver's bytes say to one question. Only records on the way from the question's own name are looked at.
sealed interface UpstreamAnswer {
    /// @param addresses may be empty: the name is there, and has none of this kind
    /// @param ttl the least of all records on the way, in seconds; unbounded when there is none
    record Addresses(List<InetAddress> addresses, List<String> aliases, long ttl) implements UpstreamAnswer {
        public Addresses {
            addresses = List.copyOf(addresses);
            aliases = List.copyOf(aliases);
        }
    }

    record NoSuchName() implements UpstreamAnswer {}

    /// It did not fit; TCP may help.
    record Truncated() implements UpstreamAnswer {}

    /// The resolver will not or cannot say.
    record Declined(int rcode) implements UpstreamAnswer {}

    /// It is an answer, and one that cannot be believed.
    record Odd(String reason) implements UpstreamAnswer {}

    /// No answer to this question.
    record NotOurs() implements UpstreamAnswer {}

    int MAX_LINKS = 8;
    int MAX_ADDRESSES = 32;

    /// Reads one message. Never throws, whatever the bytes.
    static UpstreamAnswer read(byte[] bytes, int id, Record question) {
        Message message;
        try {
            message = new Message(bytes);
            if (!isOurs(message, id, question)) {
                return new NotOurs();
            }
        } catch (IOException | RuntimeException _) {
            // The library refuses some bytes by exceptions of its own that are not checked.
            return new NotOurs();
        }
        if (message.getHeader().getFlag(Flags.TC)) {
            return new Truncated();
        }
        return switch (message.getRcode()) {
            case Rcode.NOERROR -> addresses(message.getSection(Section.ANSWER), question);
            case Rcode.NXDOMAIN -> new NoSuchName();
            default -> new Declined(message.getRcode());
        };
    }

    private static boolean isOurs(Message message, int id, Record question) {
        var header = message.getHeader();
        var asked = message.getSection(Section.QUESTION);
        return header.getID() == id && header.getFlag(Flags.QR) && header.getOpcode() == Opcode.QUERY && asked.size() == 1 && asked.getFirst().getName().equals(question.getName())
                && asked.getFirst().getType() == question.getType() && asked.getFirst().getDClass() == DClass.IN;
    }

    private static UpstreamAnswer addresses(List<Record> records, Record question) {
        Name here = question.getName();
        var aliases = new ArrayList<String>();
        long ttl = Long.MAX_VALUE;
        while (true) {
            Name owner = here;
            var own = records.stream().filter(record -> record.getDClass() == DClass.IN && record.getName().equals(owner)).distinct().toList();
            var links = own.stream().filter(CNAMERecord.class::isInstance).map(CNAMERecord.class::cast).toList();
            if (links.isEmpty()) {
                var found = own.stream().filter(record -> record.getType() == question.getType()).limit(MAX_ADDRESSES).toList();
                for (Record record : found) {
                    ttl = Math.min(ttl, record.getTTL());
                }
                return new Addresses(found.stream().flatMap(record -> address(record).stream()).distinct().toList(), aliases, ttl);
            }
            var alias = links.size() == 1 && own.size() == 1 ? alias(links.getFirst()) : Optional.<String>empty();
            if (alias.isEmpty()) {
                return new Odd("the name, or one that it leads to, has an alias that is none");
            }
            if (aliases.size() == MAX_LINKS) {
                return new Odd("the name leads through more than " + MAX_LINKS + " others");
            }
            aliases.add(alias.get());
            ttl = Math.min(ttl, links.getFirst().getTTL());
            here = links.getFirst().getTarget();
        }
    }

    private static Optional<String> alias(CNAMERecord link) {
        try {
            return Optional.of(HostPattern.normal(link.getTarget().toString()));
        } catch (SandboxException _) {
            return Optional.empty();
        }
    }

    /// Without a name: whoever prints or dials it should not take the resolver's word for one.
    private static Optional<InetAddress> address(Record record) {
        try {
            return switch (record) {
                case ARecord four -> Optional.of(InetAddress.getByAddress(four.getAddress().getAddress()));
                case AAAARecord six -> Optional.of(InetAddress.getByAddress(six.getAddress().getAddress()));
                default -> Optional.empty();
            };
        } catch (IOException _) {
            return Optional.empty();
        }
    }
}
