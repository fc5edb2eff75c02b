package dev.caisson.cli;

import dev.caisson.client.CommandEnd;
import dev.caisson.client.Receipt;
import dev.caisson.client.Sandbox;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Optional;
import java.util.stream.Collectors;

/// The one line after a run.
final class Summary {
    private Summary() {}

    static String of(Sandbox sandbox, Duration create, Optional<CommandEnd> end, Optional<Receipt> receipt, RunCommand.Plan plan) {
        var parts = new ArrayList<String>();
        parts.add(Wall.of(sandbox.info()));
        parts.add("created in " + Amounts.shown(create));
        end.ifPresent(each -> parts.add("ran " + Amounts.shown(each.wall())));
        receipt.ifPresent(each -> {
            parts.add("peak " + Amounts.shown(each.usage().peakMemory()));
            parts.add("CPU " + Amounts.shown(each.usage().cpu()));
        });
        end.map(each -> stopped(each, receipt, plan)).filter(text -> !text.isEmpty()).ifPresent(parts::add);
        receipt.filter(each -> !each.denied().isEmpty()).ifPresent(each -> parts.add(
                "denied: " + each.denied().entrySet().stream().map(one -> one.getKey() + " " + one.getValue()).sorted().collect(Collectors.joining(", "))));
        parts.add("receipt " + sandbox.id());
        return String.join(", ", parts);
    }

    private static String stopped(CommandEnd end, Optional<Receipt> receipt, RunCommand.Plan plan) {
        return switch (end.outcome()) {
            case EXITED -> "";
            case SIGNALED -> "ended by signal " + (end.status() - 128);
            case TIMED_OUT -> "stopped: its time of " + Amounts.shown(plan.timeout()) + " was over (more with --timeout)";
            case OUT_OF_MEMORY -> "stopped: out of memory (more with --memory)";
            case OUTPUT_LIMIT -> "stopped: it wrote more than its output limit (more with --output-limit)";
            case KILLED -> "killed";
            case SANDBOX_GONE -> "stopped: its sandbox ended (" + receipt.map(Receipt::reason).orElse("nobody knows why") + ")";
        };
    }
}
