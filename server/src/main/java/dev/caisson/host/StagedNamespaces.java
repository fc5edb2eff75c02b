package dev.caisson.host;

import dev.caisson.host.OwnThread.Namespace;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;

/// The namespaces that a [Stage] has been set in, held by descriptors until they are closed; then by the processes in them.
///
/// @param descriptors of the namespaces, closed in children
record StagedNamespaces(Map<Namespace, Integer> descriptors) {
    private static final EnumSet<Namespace> MOUNTS = EnumSet.of(Namespace.MOUNT);
    private static final EnumSet<Namespace> ALONE = EnumSet.of(Namespace.MOUNT, Namespace.HOST_NAME, Namespace.IPC);

    static StagedNamespaces of(Stage stage) throws IOException, InterruptedException {
        var kinds = stage.isAlone() ? ALONE : MOUNTS;
        return OwnThread.leaving(kinds, () -> {
            NativeLinux.unshare(kinds.stream().mapToInt(each -> each.flag).reduce(0, (one, other) -> one | other), "namespaces of a stage");
            // What is mounted here stays here; what is unmounted elsewhere goes here too.
            NativeLinux.mount("none", "/", "none", NativeLinux.MS_REC | NativeLinux.MS_SLAVE, "");
            stage.set();
            return opened(kinds);
        });
    }

    private static StagedNamespaces opened(EnumSet<Namespace> kinds) throws IOException {
        var opened = new StagedNamespaces(new EnumMap<>(Namespace.class));
        try {
            for (Namespace each : kinds) {
                opened.descriptors.put(each, NativeLinux.open(each.path(), NativeLinux.O_RDONLY));
            }
            return opened;
        } catch (IOException e) {
            opened.close();
            throw e;
        }
    }

    /// What starts a program in them, while they are open.
    List<String> entering() {
        var command = new ArrayList<>(List.of("/usr/bin/nsenter"));
        descriptors.forEach((namespace, fd) -> command.add("--" + namespace.option() + "=/proc/" + ProcessHandle.current().pid() + "/fd/" + fd));
        command.add("--");
        return command;
    }

    void close() {
        descriptors.values().forEach(NativeLinux::close);
    }
}
