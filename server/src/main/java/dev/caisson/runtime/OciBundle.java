package dev.caisson.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What an OCI runtime is told about one sandbox: the `config.json` of its bundle (OCI runtime specification 1.0.2).
///
/// The first process runs as root of the sandbox, with `/` as its directory and no terminal.
///
/// @param command program and arguments of the first process; [AgentDoor#COMMAND] but for probes
/// @param root the root filesystem
/// @param readOnly the runtime mounts the root read-only
/// @param noNewPrivileges no program in it can gain rights, by set-user-id or otherwise
/// @param capabilities all that root inside ever has, such as `CAP_KILL`
/// @param limits setrlimit(2) of the agent and thus of everything it starts, soft and hard alike, such as `RLIMIT_NOFILE`
/// @param linux the section of that name
/// @param annotations what one runtime understands and others ignore
public record OciBundle(
        List<String> command, Path root, boolean readOnly, boolean noNewPrivileges, List<String> capabilities, Map<String, Long> limits, List<OciMount> mounts,
        Map<String, Object> linux, Map<String, String> annotations) {

    /// What every sandbox calls itself until it is somebody's; images know the name, so that nothing looks it up outside.
    public static final String HOSTNAME = "sandbox";

    public OciBundle {
        command = List.copyOf(command);
        capabilities = List.copyOf(capabilities);
        limits = new LinkedHashMap<>(limits);
        mounts = List.copyOf(mounts);
        linux = new LinkedHashMap<>(linux);
        annotations = Map.copyOf(annotations);
    }

    /// Writes `config.json` into the directory.
    public void writeTo(Path directory) throws IOException {
        Files.writeString(directory.resolve("config.json"), json());
    }

    String json() {
        var config = new LinkedHashMap<String, Object>();
        config.put("ociVersion", "1.0.2");
        config.put("process", process());
        config.put("root", Map.of("path", root.toString(), "readonly", readOnly));
        config.put("hostname", HOSTNAME);
        config.put("mounts", mounts.stream().map(OciMount::json).toList());
        config.put("linux", linux);
        if (!annotations.isEmpty()) {
            config.put("annotations", annotations);
        }
        return Json.of(config);
    }

    private Map<String, Object> process() {
        var rlimits = new ArrayList<Map<String, Object>>();
        limits.forEach((type, value) -> rlimits.add(Map.of("type", type, "hard", value, "soft", value)));
        var sets = new LinkedHashMap<String, Object>();
        for (String set : List.of("bounding", "effective", "permitted")) {
            sets.put(set, capabilities);
        }
        var process = new LinkedHashMap<String, Object>();
        process.put("user", Map.of("uid", 0, "gid", 0));
        process.put("args", command);
        process.put("env", List.of("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"));
        process.put("cwd", "/");
        process.put("capabilities", sets);
        process.put("rlimits", rlimits);
        process.put("noNewPrivileges", noNewPrivileges);
        return process;
    }
}
