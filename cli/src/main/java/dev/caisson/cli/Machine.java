package dev.caisson.cli;

import dev.caisson.client.CaissonException;
import dev.caisson.client.Driver;
import dev.caisson.client.NodeStatus;
import dev.caisson.client.Standing;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// Facts about this machine that decide what it can promise. Looks, and changes nothing.
final class Machine {
    private static final long DISK_WANTED = 4L << 30;
    private static final long MEMORY_WANTED = 2L << 30;

    private final Installation installation;

    Machine(Installation installation) {
        this.installation = installation;
    }

    /// What a fact means for what can be promised.
    enum Verdict {
        /// As wanted.
        YES,
        /// Something of it cannot be had; untrusted code can still be run.
        LESS,
        /// Untrusted code cannot be run.
        NO;

        String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /// One fact.
    ///
    /// @param remedy what to do about it; empty when nothing has to be
    record Finding(String name, Verdict verdict, String found, String remedy) {
        static Finding yes(String name, String found) {
            return new Finding(name, Verdict.YES, found, "");
        }
    }

    List<Finding> examine() {
        var told = running();
        var findings = new ArrayList<>(List.of(system(), root(), java()));
        findings.addAll(new Microvms(installation.home(), told.node()).examine());
        findings.addAll(List.of(
                runsc(), container(), cgroups(), kernel("erofs", "images are mounted with it", "erofs", Verdict.NO), kernel("overlay", "needed by tier container", "overlay", Verdict.LESS), loop(),
                seccomp(), namespaces(), tools(), wayOut(), user(), memory(), disk(), template(), told.finding()));
        told.node().flatMap(NodeStatus::policy).map(Machine::policy).ifPresent(findings::add);
        return findings;
    }

    private static Finding system() {
        String name = System.getProperty("os.name") + " " + System.getProperty("os.version") + ", " + System.getProperty("os.arch") + ", " + Runtime.getRuntime().availableProcessors() + " CPUs";
        return System.getProperty("os.name").equals("Linux") ? Finding.yes("system", name) : new Finding("system", Verdict.NO, name, "use a Linux machine");
    }

    private static Finding root() {
        return Installation.isRoot() ? Finding.yes("root", "yes") : new Finding("root", Verdict.NO, "not root", "run it with sudo, or use an installation elsewhere with CAISSON_URL and CAISSON_KEY");
    }

    private static Finding java() {
        return Finding.yes("java", System.getProperty("java.vm.name") + " " + System.getProperty("java.version"));
    }

    private Finding runsc() {
        var program = Stream.of(installation.home().resolve("bin/runsc"), Path.of("/usr/local/bin/runsc"), Path.of("/usr/bin/runsc")).filter(Files::isExecutable).findFirst();
        if (program.isEmpty()) {
            return new Finding("tier gvisor", Verdict.NO, "no runsc", "let `caisson setup` fetch it");
        }
        return said(program.get().toString(), "--version").map(line -> Finding.yes("tier gvisor", program.get() + ", " + line))
                .orElseGet(() -> new Finding("tier gvisor", Verdict.NO, program.get() + " does not run", "remove it and let `caisson setup` fetch it again"));
    }

    private static Finding container() {
        for (String name : List.of("crun", "runc")) {
            var said = said(name, "--version");
            if (said.isPresent()) {
                return Finding.yes("tier container", said.get() + " (for trusted code only)");
            }
        }
        return new Finding("tier container", Verdict.LESS, "neither crun nor runc", "apt-get install crun");
    }

    /// First line that a program says; empty when it is not there, fails or says nothing.
    static Optional<String> said(String... command) {
        return output(command).flatMap(text -> text.lines().findFirst());
    }

    /// What a program says, of which the first 4 KiB; empty when it is not there or fails.
    private static Optional<String> output(String... command) {
        try {
            var process = new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            String text = new String(process.getInputStream().readNBytes(4096), StandardCharsets.UTF_8);
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return Optional.empty();
            }
            return process.exitValue() == 0 ? Optional.of(text) : Optional.empty();
        } catch (IOException _) {
            return Optional.empty();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }

    private static Finding cgroups() {
        var wanted = List.of("cpu", "memory", "pids");
        var remedy = "mount the cgroup controllers, read-write; in a container, run it with --privileged";
        var mounts = CgroupMount.all(read("/proc/self/mountinfo"));
        var v1 = mounts.stream().filter(mount -> mount.controllers().stream().anyMatch(wanted::contains)).toList();
        var v2 = mounts.stream().filter(mount -> mount.unified() && words(read(mount.point() + "/cgroup.controllers")).containsAll(wanted)).toList();
        String version = "v1";
        var used = v1;
        if (!v1.stream().flatMap(mount -> mount.controllers().stream()).toList().containsAll(wanted)) {
            if (v2.isEmpty()) {
                return new Finding("cgroups", Verdict.NO, "cpu, memory and pids are not all mounted", remedy);
            }
            version = "v2";
            used = v2.subList(0, 1);
        }
        var closed = used.stream().filter(CgroupMount::readOnly).map(CgroupMount::point).toList();
        return closed.isEmpty()
                ? Finding.yes("cgroups", version + " with " + String.join(", ", wanted))
                : new Finding("cgroups", Verdict.NO, version + ", but read-only at " + String.join(", ", closed), remedy);
    }

    /// A mounted cgroup tree.
    ///
    /// @param controllers those of a version 1 tree
    private record CgroupMount(String point, boolean unified, boolean readOnly, List<String> controllers) {
        static List<CgroupMount> all(String mountinfo) {
            return mountinfo.lines().map(line -> line.split(" ")).flatMap(part -> {
                int dash = List.of(part).indexOf("-");
                boolean known = dash > 0 && dash + 3 < part.length && (part[dash + 1].equals("cgroup") || part[dash + 1].equals("cgroup2"));
                return known ? Stream.of(new CgroupMount(part[4], part[dash + 1].equals("cgroup2"), List.of(part[5].split(",")).contains("ro"), List.of(part[dash + 3].split(",")))) : Stream.empty();
            }).toList();
        }
    }

    private static Finding kernel(String name, String why, String filesystem, Verdict without) {
        if (words(read("/proc/filesystems")).contains(filesystem)) {
            return Finding.yes(name, "in the kernel");
        }
        String release = System.getProperty("os.version");
        boolean module = read("/lib/modules/" + release + "/modules.dep").contains("/" + filesystem + ".ko");
        return module ? Finding.yes(name, "as a module") : new Finding(name, without, "not in this kernel; " + why, "use a kernel with " + filesystem);
    }

    private static Finding loop() {
        return Files.exists(Path.of("/dev/loop-control")) ? Finding.yes("loop devices", "yes") : new Finding("loop devices", Verdict.NO, "no /dev/loop-control; images are mounted with them", "modprobe loop");
    }

    private static Finding seccomp() {
        return read("/proc/sys/kernel/seccomp/actions_avail").contains("errno") ? Finding.yes("seccomp", "yes") : new Finding("seccomp", Verdict.LESS, "no filters in this kernel", "use a kernel with CONFIG_SECCOMP_FILTER");
    }

    private static Finding namespaces() {
        String most = read("/proc/sys/user/max_user_namespaces").strip();
        return most.isEmpty() || most.equals("0")
                ? new Finding("user namespaces", Verdict.LESS, "switched off; tier container needs them", "sysctl user.max_user_namespaces=10000")
                : Finding.yes("user namespaces", "up to " + most);
    }

    private static Finding tools() {
        var missing = Stream.of("setpriv", "setsid", "mkfifo", "mount", "ip").filter(tool -> Stream.of("/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/").noneMatch(at -> Files.isExecutable(Path.of(at + tool)))).toList();
        return missing.isEmpty() ? Finding.yes("tools", "all there") : new Finding("tools", Verdict.NO, "missing: " + String.join(", ", missing), "apt-get install util-linux coreutils mount iproute2");
    }

    /// Tries the rules that the gateway's network is made of in a namespace that is gone with the try.
    private static Finding wayOut() {
        String rules = "table inet t { chain c { type filter hook prerouting priority mangle; fib saddr . iif oif missing drop; meta l4proto tcp tproxy to :1 accept; "
                + "log group 1; reject with icmpx type port-unreachable; }; }";
        if (!Installation.isRoot()) {
            return new Finding("way out", Verdict.LESS, "only root can try it", "run it as root");
        }
        return output("unshare", "--net", "nft", rules).isPresent()
                ? Finding.yes("way out", "nftables with tproxy, fib, log and reject")
                : new Finding("way out", Verdict.LESS, "nft cannot load the gateway's rules; sandboxes run, and reach nothing", "apt-get install nftables, and use a kernel with nft_tproxy, nft_fib, nft_reject and nfnetlink_log");
    }

    private static Finding user() {
        var users = List.of(Launch.FRONT_USER, Launch.GATEWAY_USER);
        String known = read("/etc/passwd");
        var missing = users.stream().filter(user -> known.lines().noneMatch(line -> line.startsWith(user + ":"))).toList();
        return Finding.yes("users", missing.isEmpty() ? String.join(", ", users) : "the first start makes " + String.join(", ", missing));
    }

    private static Finding memory() {
        long total = read("/proc/meminfo").lines().filter(line -> line.startsWith("MemAvailable:")).mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024).findFirst().orElse(0);
        String found = Amounts.shown(total) + " free";
        return total >= MEMORY_WANTED ? Finding.yes("memory", found) : new Finding("memory", Verdict.LESS, found, "a sandbox takes up to what it is given (512 MiB), and 20 MiB at rest");
    }

    private Finding disk() {
        try {
            var there = installation.home();
            while (!Files.exists(there) && there.getParent() != null) {
                there = there.getParent();
            }
            long free = Files.getFileStore(there).getUsableSpace();
            String found = Amounts.shown(free) + " free for " + installation.home();
            return free >= DISK_WANTED ? Finding.yes("disk", found) : new Finding("disk", Verdict.LESS, found, "a sandbox may write up to 1 GiB; free some, or name another place with CAISSON_HOME");
        } catch (IOException e) {
            return new Finding("disk", Verdict.LESS, "cannot tell: " + e.getMessage(), "see that CAISSON_HOME is on a disk of this machine");
        }
    }

    private Finding template() {
        var index = installation.home().resolve("image/index");
        try (Stream<Path> built = Files.isDirectory(index) ? Files.list(index) : Stream.empty()) {
            return built.findAny().isPresent()
                    ? Finding.yes("template base", "built")
                    : new Finding("template base", Verdict.LESS, "not built yet", "the first `caisson run` builds it, or `caisson setup`");
        } catch (IOException _) {
            return new Finding("template base", Verdict.LESS, "may not look into " + index, "run it as root");
        }
    }

    /// What the installation says that runs here, or that CAISSON_URL names.
    private record Told(Finding finding, Optional<NodeStatus> node) {}

    private Told running() {
        try (var session = Session.open()) {
            var status = session.caisson().status();
            var finding = session.caisson().url() + ", " + status.alive() + " alive, tiers " + Wall.all(status) + ", leaked " + status.leaked();
            return new Told(
                    status.leaked() == 0 ? Finding.yes("installation", finding) : new Finding("installation", Verdict.LESS, finding, "see `caisson receipt` for what stayed"), Optional.of(status));
        } catch (CaissonException e) {
            return new Told(
                    e.code().equals("not-running") && !installation.isUp() ? Finding.yes("installation", "not running; `caisson run` starts what it needs") : new Finding("installation", Verdict.LESS, e.message(), e.remedy()),
                    Optional.empty());
        }
    }

    /// What untrusted code is in for where the operator and the tenants of the installation that runs have a say.
    static Finding policy(Standing standing) {
        String floor = "runs in tier " + standing.floor().label() + " or stronger" + (standing.shared() ? ", as there are several tenants" : "");
        if (standing.unmet().isPresent()) {
            return new Finding("untrusted code", Verdict.NO, standing.unmet().get().message(), standing.unmet().get().remedy());
        }
        return standing.acceptsEmulated()
                ? new Finding("untrusted code", Verdict.LESS, floor + "; a microVM that is " + Driver.EMULATED + " is accepted", "start it without --accept-emulated")
                : Finding.yes("untrusted code", floor);
    }

    private static List<String> words(String text) {
        return text.isBlank() ? List.of() : new ArrayList<>(List.of(text.strip().split("\\s+")));
    }

    /// A small file of the kernel's; empty when it is not there.
    static String read(String file) {
        try {
            return Files.readString(Path.of(file), StandardCharsets.ISO_8859_1);
        } catch (IOException _) {
            return "";
        }
    }
}
