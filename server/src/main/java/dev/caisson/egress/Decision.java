package dev.caisson.egress;

/// Whether one thing may happen, and by which rule.
///
/// @param rule that decided, such as `request:2`, `secret:API_KEY`, `operator:default` or `metadata`
/// @param reason why not, for people; empty when it may
public record Decision(boolean allowed, String rule, String reason) {
    static Decision allow(String rule) {
        return new Decision(true, rule, "");
    }

    static Decision deny(String rule, String reason) {
        return new Decision(false, rule, reason);
    }
}
