package dev.caisson.cli;

import dev.caisson.cli.Machine.Finding;
import dev.caisson.cli.Machine.Verdict;
import dev.caisson.client.Driver;
import dev.caisson.client.DriverStatus;
import dev.caisson.client.NodeStatus;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// What this machine has for microVMs. Whether its KVM runs a guest is known only to a node, which tries it; so without one that runs nothing is promised.
final class Microvms {
    private static final Path KVM = Path.of("/dev/kvm");
    private static final String EMULATION = "use a machine with KVM; where a wall is not needed, as in tests, accept it by name with --accept-emulated";

    private final Path home;
    private final Optional<NodeStatus> node;

    /// @param node what the installation says that runs; empty when none does
    Microvms(Path home, Optional<NodeStatus> node) {
        this.home = home;
        this.node = node;
    }

    List<Finding> examine() {
        var qemu = program("qemu", "qemu-system-x86_64", "microVMs can run in Firecracker, where there is KVM", "apt-get install qemu-system-x86");
        var bubblewrap = program("bubblewrap", "bwrap", "QEMU is locked in with it", "apt-get install bubblewrap");
        var firecracker = firecracker();
        var kernel = kernel();
        boolean byQemu = isYes(qemu) && isYes(bubblewrap) && isYes(kernel);
        boolean byFirecracker = isYes(firecracker) && isYes(kernel);
        return List.of(node.map(Microvms::known).orElseGet(() -> guessed(byQemu, byFirecracker)), kvm(), kernel, qemu, bubblewrap, firecracker);
    }

    private static boolean isYes(Finding finding) {
        return finding.verdict() == Verdict.YES;
    }

    private static Finding tier(Verdict verdict, String found, String remedy) {
        return new Finding("tier microvm", verdict, found, remedy);
    }

    /// As the node says, which has tried.
    static Finding known(NodeStatus node) {
        var drivers = node.drivers().stream().filter(each -> each.tier().equals("microvm")).toList();
        var real = drivers.stream().filter(each -> each.isFit() && !each.isEmulated()).map(each -> each.name() + ", " + each.program()).toList();
        if (!real.isEmpty()) {
            return tier(Verdict.YES, String.join("; ", real), "");
        }
        if (drivers.stream().anyMatch(DriverStatus::isBeingTried)) {
            return tier(Verdict.LESS, "not known yet: this KVM is being tried with a guest", "ask again in some seconds");
        }
        String why = drivers.stream().filter(each -> !each.isFit()).map(each -> each.name() + ": " + each.unfit()).collect(Collectors.joining("; "));
        Optional<DriverStatus> emulated = drivers.stream().filter(DriverStatus::isFit).findFirst();
        String without = why.isEmpty() ? "" : " (" + why + ")";
        return emulated.map(each -> tier(Verdict.LESS, "only " + each.name() + ", which is " + each.isolation() + without, EMULATION))
                .orElseGet(() -> tier(Verdict.LESS, "none" + without, "gvisor does without; see the lines below for what is missing"));
    }

    private static Finding guessed(boolean byQemu, boolean byFirecracker) {
        if (!byQemu && !byFirecracker) {
            return tier(Verdict.LESS, "not all that it needs is there", "see the lines below; gvisor does without");
        }
        if (!mayUseKvm()) {
            return byQemu
                    ? tier(Verdict.LESS, "only " + Driver.QEMU_TCG.label() + ", which is " + Driver.EMULATED, EMULATION)
                    : tier(Verdict.LESS, "none: there is Firecracker, but no KVM", "use a machine with KVM; gvisor does without");
        }
        var by = new ArrayList<String>();
        if (byFirecracker) {
            by.add(Driver.FIRECRACKER.label());
        }
        if (byQemu) {
            by.add(Driver.QEMU.label());
        }
        String otherwise = byQemu ? "; if it does not, " + Driver.QEMU_TCG.label() + ", which is " + Driver.EMULATED : "";
        return tier(Verdict.LESS, "by " + String.join(" or ", by) + " if this KVM runs a guest, which is tried by an installation that runs" + otherwise, "ask again while `caisson up` runs");
    }

    private static boolean mayUseKvm() {
        return Files.isReadable(KVM) && Files.isWritable(KVM);
    }

    private static Finding kvm() {
        if (!Files.exists(KVM)) {
            return new Finding("kvm", Verdict.LESS, "no /dev/kvm", "tier microvm needs a machine with hardware virtualization; gvisor does without");
        }
        return mayUseKvm()
                ? Finding.yes("kvm", "/dev/kvm is there; the line of tier microvm says what is known of its guests")
                : new Finding("kvm", Verdict.LESS, "/dev/kvm is there, and not for this user", "run it as root");
    }

    private Finding kernel() {
        String manifest = Machine.read(home.resolve("guest/manifest").toString());
        return manifest.isBlank()
                ? new Finding("guest kernel", Verdict.LESS, "not made yet", "`caisson setup` makes it")
                : Finding.yes("guest kernel", manifest.lines().filter(line -> line.startsWith("package ")).map(line -> line.substring("package ".length())).findFirst().orElse("made"));
    }

    private Finding firecracker() {
        var missing = Stream.of("firecracker", "jailer").filter(name -> !Files.isExecutable(home.resolve("bin").resolve(name))).toList();
        if (!missing.isEmpty()) {
            return new Finding("firecracker", Verdict.LESS, "no " + String.join(", no ", missing) + "; microVMs can run in QEMU", "where there is /dev/kvm, `caisson setup` fetches it");
        }
        String program = home.resolve("bin/firecracker").toString();
        String jailer = home.resolve("bin/jailer").toString();
        return Machine.said(program, "--version").flatMap(version -> Machine.said(jailer, "--version").map(other -> Finding.yes("firecracker", version + ", " + other)))
                .orElseGet(() -> new Finding("firecracker", Verdict.LESS, program + " or its jailer does not run", "remove both and let `caisson setup` fetch them again"));
    }

    private static Finding program(String name, String program, String without, String remedy) {
        return Machine.said(program, "--version").map(line -> Finding.yes(name, line))
                .orElseGet(() -> new Finding(name, Verdict.LESS, "no " + program + "; " + without, remedy));
    }
}
