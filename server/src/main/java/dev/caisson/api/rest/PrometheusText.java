package dev.caisson.api.rest;

import dev.caisson.sandbox.DriverInfo;
import dev.caisson.sandbox.DriverName;
import dev.caisson.sandbox.NodeStatus;
import dev.caisson.sandbox.Tier;
import java.util.Optional;

/// Writes figures in Prometheus' text format 0.0.4.
final class PrometheusText {
    private final StringBuilder text = new StringBuilder(4096);

    PrometheusText node(Optional<NodeStatus> node) {
        single("caisson_node_up", "gauge", "1 when the node answers.", node.isPresent() ? 1 : 0);
        node.ifPresent(status -> {
            single("caisson_sandboxes_alive", "gauge", "Sandboxes alive now.", status.alive());
            single("caisson_machines_standing_by", "gauge", "Machines made ahead that are nobody's yet.", status.standingBy());
            single("caisson_sandboxes_created_total", "counter", "Sandboxes made since the store was made.", status.created());
            single("caisson_sandboxes_deleted_total", "counter", "Sandboxes ended since the store was made.", status.deleted());
            single("caisson_sandboxes_failed_total", "counter", "Sandboxes that could not be made or failed.", status.failed());
            single("caisson_resources_leaked_total", "counter", "Resources that a teardown could not release; must be 0.", status.leaked());
            single("caisson_node_resident_bytes", "gauge", "Resident memory of the node process.", status.residentMemory().bytes());
            head("caisson_tier_available", "gauge", "1 for each tier that the machine can give, not only emulate.");
            for (Tier tier : Tier.values()) {
                sample("caisson_tier_available", "tier=\"" + tier.label() + "\"", status.tiers().contains(tier) ? 1 : 0);
            }
            head("caisson_driver_available", "gauge", "1 for each driver that the machine can run; one that only emulates its tier says so.");
            for (DriverInfo driver : status.known()) {
                String isolation = driver.name().isEmulated() ? ",isolation=\"" + DriverName.EMULATED + "\"" : "";
                sample("caisson_driver_available", "driver=\"" + driver.name().label() + "\",tier=\"" + driver.name().tier().label() + "\"" + isolation, driver.isFit() ? 1 : 0);
            }
        });
        return this;
    }

    PrometheusText streams(int open) {
        single("caisson_command_streams_open", "gauge", "Command streams open at this front.", open);
        return this;
    }

    PrometheusText requests(RequestMetrics requests) {
        String name = "caisson_http_request_seconds";
        head(name, "histogram", "Requests by route and status; a stream counts when it ends.");
        requests.all().forEach((series, figures) -> {
            String labels = "method=\"" + series.method() + "\",route=\"" + series.route() + "\",status=\"" + series.status() + "\"";
            long sum = 0;
            for (int i = 0; i < figures.buckets.length; i++) {
                sum += figures.buckets[i].sum();
                String bound = i < RequestMetrics.BUCKETS_MILLIS.length ? String.valueOf(RequestMetrics.BUCKETS_MILLIS[i] / 1e3) : "+Inf";
                sample(name + "_bucket", labels + ",le=\"" + bound + "\"", sum);
            }
            text.append(name).append("_sum{").append(labels).append("} ").append(figures.nanos.sum() / 1e9).append('\n');
            sample(name + "_count", labels, sum);
        });
        return this;
    }

    private void head(String name, String type, String help) {
        text.append("# HELP ").append(name).append(' ').append(help).append("\n# TYPE ").append(name).append(' ').append(type).append('\n');
    }

    private void single(String name, String type, String help, long value) {
        head(name, type, help);
        text.append(name).append(' ').append(value).append('\n');
    }

    private void sample(String name, String labels, long value) {
        text.append(name).append('{').append(labels).append("} ").append(value).append('\n');
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
