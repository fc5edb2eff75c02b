package dev.caisson.sandbox;

import java.util.HashSet;
import java.util.List;

/// One party's wishes: the rules are asked in order, the first that fits decides; when none does, the mode does.
///
/// @param name whose: `request`, `template`, `tenant` or `operator`; part of every answer to "why"
/// @param rules at most [#MAX_RULES]
public record EgressLayer(String name, Mode mode, List<EgressRule> rules) {
    /// What happens to whatever no rule fits.
    public enum Mode {
        /// Nothing leaves; there are no rules.
        NONE,
        /// Only what a rule allows.
        LIST,
        /// The public internet, but for what a rule denies.
        OPEN
    }

    public static final String REQUEST = "request";
    public static final int MAX_RULES = 256;
    public static final EgressLayer NONE = new EgressLayer(REQUEST, Mode.NONE, List.of());

    public EgressLayer {
        rules = List.copyOf(rules);
        if (name.isEmpty() || name.length() > 64) {
            throw Failure.Code.BAD_REQUEST.with("a layer's name has 1 to 64 characters, got " + name.length(), "name it");
        }
        if (mode == Mode.NONE && !rules.isEmpty()) {
            throw Failure.Code.BAD_REQUEST.with("egress mode none has " + rules.size() + " rules", "use mode list, or leave the rules away");
        }
        if (rules.size() > MAX_RULES) {
            throw Failure.Code.OUT_OF_RANGE.with("egress has " + rules.size() + " rules", "at most " + MAX_RULES + "; wildcards and presets cover many hosts with one");
        }
        var names = new HashSet<String>();
        for (EgressRule rule : rules) {
            if (!rule.name().isEmpty() && !names.add(rule.name())) {
                throw Failure.Code.BAD_REQUEST.with("two egress rules are named '" + rule.name() + "'", "name each once");
            }
        }
        refuseContradictions(rules);
    }

    /// Two rules for the very same thing, one allowing and one denying it: whoever wrote them meant one of them.
    private static void refuseContradictions(List<EgressRule> rules) {
        for (int i = 0; i < rules.size(); i++) {
            for (int j = 0; j < i; j++) {
                var one = rules.get(j);
                var other = rules.get(i);
                if (one.action() != other.action() && one.target().equals(other.target()) && one.ports().equals(other.ports()) && one.protocols().equals(other.protocols())
                        && one.http().equals(other.http())) {
                    throw Failure.Code.BAD_REQUEST.with("egress rules " + (j + 1) + " and " + (i + 1) + " contradict: both are about " + one.target() + ", one allows it, one denies it",
                            "keep the one you mean");
                }
            }
        }
    }

    /// How a rule is called in answers: its name, else its place, from 1.
    public String label(int index) {
        String own = rules.get(index).name();
        return name + ":" + (own.isEmpty() ? Integer.toString(index + 1) : own);
    }

    boolean reachesAddresses() {
        return mode == Mode.OPEN || rules.stream().anyMatch(rule -> rule.action() == EgressRule.Action.ALLOW && rule.target() instanceof EgressTarget.Network);
    }
}
