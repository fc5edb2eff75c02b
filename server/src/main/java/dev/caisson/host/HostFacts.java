package dev.caisson.host;

import dev.caisson.sandbox.SandboxException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// What this machine is and can do, for `doctor` and for choosing tiers.
///
/// @param root this process is root
/// @param kernel release, such as `6.12.4`
/// @param cgroups version and controllers in words, or why they cannot be used
/// @param cgroupsUsable our limits can be enforced
/// @param loopDevices /dev/loop-control is there
/// @param filesystems of overlay, erofs, ext4 and tmpfs those the kernel has
/// @param userNamespaces how many may be made; 0: none
/// @param seccomp system call filters are in the kernel
/// @param kvm /dev/kvm is there (whether a guest runs is another question)
public record HostFacts(
        boolean root, String kernel, String cgroups, boolean cgroupsUsable, boolean loopDevices, List<String> filesystems, long userNamespaces, boolean seccomp,
        boolean kvm) {
    /// Where a Debian has its programs.
    public static final String PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private static final List<String> FILESYSTEMS = List.of("overlay", "erofs", "ext4", "tmpfs");

    public HostFacts {
        filesystems = List.copyOf(filesystems);
    }

    public static HostFacts gather() {
        String cgroups;
        boolean usable = false;
        try {
            var found = Cgroups.detect();
            cgroups = "version " + found.version() + ": " + String.join(" ", found.controllers());
            usable = true;
        } catch (SandboxException e) {
            cgroups = e.getMessage() + "; " + e.failure().remedy();
        }
        var kernel = text("/proc/sys/kernel/osrelease");
        var known = text("/proc/filesystems").lines().map(line -> line.substring(line.indexOf('\t') + 1)).toList();
        return new HostFacts(
                runningAsRoot(),
                kernel,
                cgroups,
                usable,
                Files.exists(Path.of("/dev/loop-control")),
                FILESYSTEMS.stream().filter(name -> known.contains(name) || isModule(name, kernel)).toList(),
                maxUserNamespaces(),
                text("/proc/sys/kernel/seccomp/actions_avail").contains("errno"),
                Files.exists(Path.of("/dev/kvm")));
    }

    /// True when this process may do what a node must: effective user id 0.
    public static boolean runningAsRoot() {
        return text("/proc/self/status").lines().filter(line -> line.startsWith("Uid:")).anyMatch(line -> line.split("\\s+")[2].equals("0"));
    }

    /// Path of a program, looked up in `path` (directories separated by colons).
    public static Optional<Path> program(String name, String path) {
        return List.of(path.split(":")).stream().map(directory -> Path.of(directory, name)).filter(Files::isExecutable).findFirst();
    }

    private static long maxUserNamespaces() {
        var text = text("/proc/sys/user/max_user_namespaces");
        return text.isEmpty() ? 0 : Long.parseLong(text);
    }

    private static boolean isModule(String filesystem, String kernel) {
        return text("/lib/modules/" + kernel + "/modules.dep").contains("/" + filesystem + ".ko");
    }

    private static String text(String file) {
        try {
            return Files.readString(Path.of(file)).strip();
        } catch (IOException e) {
            return "";
        }
    }
}
