package dev.caisson.cli;

import dev.caisson.client.CommandEnd;
import dev.caisson.client.Driver;
import dev.caisson.client.Flow;
import dev.caisson.client.Json;
import dev.caisson.client.Receipt;
import dev.caisson.client.Sandbox;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// The whole result of a run as one object, for `--json`.
final class RunResult {
    private RunResult() {}

    /// @param flows what it tried to reach; empty where nobody said that it may
    static Json.Obj of(Sandbox sandbox, List<String> argv, CommandEnd end, Captured stdout, Captured stderr, Optional<Receipt> receipt, Duration create, Optional<List<Flow>> flows) {
        var result = Json.object()
                .put("sandbox", sandbox.id())
                .put("argv", Json.of(argv))
                .put("outcome", end.outcome().label())
                .put("status", end.status())
                .put("tier", sandbox.info().tier().label());
        sandbox.info().driver().ifPresent(each -> {
            result.put("driver", each.label());
            if (each.isEmulated()) {
                result.put("isolation", Driver.EMULATED);
            }
        });
        result
                .put("trust", sandbox.info().trust().label())
                .put("create_ms", create.toNanos() / 1e6)
                .put("wall_ms", end.wall().toNanos() / 1e6)
                .put("cpu_ms", end.cpu().toNanos() / 1e6);
        stdout.put("stdout", result);
        stderr.put("stderr", result);
        receipt.ifPresent(each -> result.put("receipt", each.json()));
        flows.ifPresent(all -> result.put("egress", Json.array(all.stream().map(Flow::json).toList())));
        return result.done();
    }
}
