package dev.caisson.cli;

import dev.caisson.client.Driver;
import dev.caisson.client.DriverStatus;
import dev.caisson.client.NodeStatus;
import dev.caisson.client.Receipt;
import dev.caisson.client.SandboxInfo;
import dev.caisson.client.Tier;
import java.util.ArrayList;
import java.util.Optional;

/// How walls are told to people: a tier, what gives it where that is not plain, and never one that is only emulated without saying so.
final class Wall {
    private Wall() {}

    static String of(SandboxInfo sandbox) {
        return told(sandbox.tier(), sandbox.driver());
    }

    static String of(Receipt receipt) {
        return told(receipt.tier(), receipt.driver());
    }

    static String told(Tier tier, Optional<Driver> driver) {
        return driver.filter(each -> !each.label().equals(tier.label())).map(each -> tier.label() + " (" + each.label() + (each.isEmulated() ? ", " + Driver.EMULATED : "") + ")").orElse(tier.label());
    }

    /// What a machine can give, and what it can only emulate.
    static String all(NodeStatus node) {
        var all = new ArrayList<>(node.tiers());
        node.drivers().stream().filter(each -> each.isFit() && each.isEmulated()).map(Wall::told).forEach(all::add);
        return all.isEmpty() ? "none" : String.join(", ", all);
    }

    static String told(DriverStatus driver) {
        String plain = driver.name().equals(driver.tier()) ? driver.tier() : driver.tier() + " (" + driver.name() + ")";
        return driver.isEmulated() ? driver.tier() + " (" + driver.name() + ", " + driver.isolation() + ")" : plain;
    }
}
