package dev.caisson.cli;

import dev.caisson.client.Caisson;
import dev.caisson.client.Flow;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What a sandbox has tried to reach, for people.
final class FlowLog {
    static final List<String> HEADINGS = List.of("TIME", "TARGET", "PROTOCOL", "VERDICT", "RULE", "SENT", "RECEIVED", "TIMES", "REASON");
    /// As many as one answer holds.
    private static final int PAGE = 1_000;
    /// Entries that one command takes of one sandbox; what a sandbox tries must not fill our memory.
    private static final int MOST = 20_000;
    private static final int MOST_NAMED = 3;

    private FlowLog() {}

    /// Every entry that comes after one, the oldest first, at most [#MOST].
    static List<Flow> after(Caisson caisson, String id, long number) {
        var all = new ArrayList<Flow>();
        List<Flow> page;
        do {
            page = caisson.flows(id, all.isEmpty() ? number : all.getLast().number(), PAGE);
            all.addAll(page);
        } while (page.size() == PAGE && all.size() < MOST);
        return all;
    }

    /// `3 allowed, 2 denied (evil.example:443 x2)`; empty when there was nothing.
    static String summary(List<Flow> flows) {
        long allowed = 0;
        long denied = 0;
        var targets = new LinkedHashMap<String, Long>();
        for (var flow : flows) {
            if (!flow.allowed()) {
                denied += flow.count();
                targets.merge(target(flow), flow.count(), Long::sum);
            } else if (!flow.protocol().equals("dns")) {
                // A name that may be looked up is no visit.
                allowed += flow.count();
            }
        }
        if (allowed + denied == 0) {
            return "";
        }
        return allowed + " allowed, " + denied + " denied" + (targets.isEmpty() ? "" : " (" + named(targets) + ")");
    }

    private static String named(Map<String, Long> targets) {
        var most = targets.entrySet().stream().sorted(Map.Entry.<String, Long>comparingByValue(Comparator.reverseOrder())).limit(MOST_NAMED)
                .map(each -> each.getKey() + (each.getValue() > 1 ? " x" + each.getValue() : "")).toList();
        return String.join(", ", most) + (targets.size() > MOST_NAMED ? " and " + (targets.size() - MOST_NAMED) + " more" : "");
    }

    static List<String> row(Flow flow) {
        return List.of(
                flow.began().truncatedTo(ChronoUnit.MILLIS).toString(), target(flow) + (flow.request().isEmpty() ? "" : " " + safe(flow.request())), safe(flow.protocol()),
                flow.allowed() ? "allowed" : "denied", safe(flow.rule()), Amounts.shown(flow.sent()), Amounts.shown(flow.received()), Long.toString(flow.count()), safe(flow.reason()));
    }

    private static String target(Flow flow) {
        String place = flow.host().isEmpty() ? flow.address().indexOf(':') >= 0 ? "[" + flow.address() + "]" : flow.address() : flow.host();
        return safe(place) + (flow.port() == 0 ? "" : ":" + flow.port());
    }

    /// A sandbox chooses names and paths; none of them may speak to the terminal.
    private static String safe(String text) {
        var safe = new StringBuilder();
        text.codePoints().forEach(c -> safe.appendCodePoint(Character.isISOControl(c) || Character.getType(c) == Character.FORMAT ? '?' : c));
        return safe.toString();
    }
}
