package dev.caisson.runtime.container;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Which system calls a container may make: an allow list of our own.
///
/// A call on no list answers ENOSYS, so that C libraries fall back to what they know; a call that is known and refused answers EPERM, so that
/// a person sees why. 32-bit calls are not possible: the kernel ends a process that makes one.
///
/// Reviewed against Linux 6.12's table and Docker's default profile (moby, 2025). Not in it, on purpose, though Docker or runc allow them:
/// `keyctl`, `add_key`, `request_key` (keys are not namespaced well), `io_uring_*` (a second way into most calls, past this list), `process_vm_*`,
/// `name_to_handle_at`, `userfaultfd`, `bpf`, `perf_event_open`, `setns`, `mount` and its kin, whatever the capabilities.
/// `ptrace` is allowed: debuggers need it, it reaches only processes of the same user in the same container, and filters hold for a traced
/// process as for any (since Linux 4.8).
final class SystemCalls {
    private static final int EPERM = 1;
    private static final int ENOSYS = 38;
    private static final int EPROTONOSUPPORT = 93;
    private static final int EAFNOSUPPORT = 97;

    // clone(2), unshare(2): CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
    private static final long NEW_NAMESPACES = 0x7E02_0000L;
    // unshare(2) only; clone(2) has its exit signal in these bits.
    private static final long CLONE_NEWTIME = 0x80;
    // socket(2): the lowest four bits of the type are the type, the others are flags.
    private static final long SOCK_TYPE_MASK = 0xF;
    private static final long SOCK_STREAM = 1;
    private static final long SOCK_DGRAM = 2;
    private static final long AF_UNIX = 1;
    private static final long AF_INET = 2;
    private static final long AF_INET6 = 10;
    private static final long AF_NETLINK = 16;
    private static final long AF_MAX = 46;
    private static final long NETLINK_ROUTE = 0;

    private static final List<String> FILES = List.of(
            "access", "chdir", "chmod", "chown", "chown32", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3", "faccessat", "faccessat2",
            "fadvise64", "fadvise64_64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "fcntl", "fcntl64", "fdatasync",
            "fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fsync", "ftruncate", "futimesat",
            "getcwd", "getdents", "getdents64", "getxattr", "lchown", "lgetxattr", "link", "linkat", "listxattr", "llistxattr", "lremovexattr", "lseek",
            "lsetxattr", "lstat", "mkdir", "mkdirat", "mknod", "mknodat", "newfstatat", "open", "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64",
            "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "removexattr", "rename", "renameat", "renameat2", "rmdir", "sendfile",
            "setxattr", "splice", "stat", "statfs", "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "tee", "truncate", "umask", "unlink",
            "unlinkat", "utime", "utimensat", "utimes", "vmsplice", "write", "writev", "inotify_add_watch", "inotify_init", "inotify_init1",
            "inotify_rm_watch", "ioctl");

    private static final List<String> MEMORY = List.of(
            "brk", "cachestat", "madvise", "map_shadow_stack", "membarrier", "memfd_create", "mincore", "mlock", "mlock2", "mlockall", "mmap", "mprotect", "mremap", "mseal", "msync",
            "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect", "remap_file_pages", "shmat", "shmctl", "shmdt", "shmget");

    private static final List<String> PROCESSES = List.of(
            "alarm", "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "futex", "futex_requeue", "futex_wait",
            "futex_waitv", "futex_wake", "get_robust_list", "get_thread_area", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpid",
            "getppid", "getpriority", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid", "gettid", "getuid", "ioprio_get", "ioprio_set", "kill",
            "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "pause", "pidfd_open", "pidfd_send_signal", "prctl", "prlimit64",
            "process_mrelease", "ptrace", "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
            "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity",
            "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr", "sched_setparam",
            "sched_setscheduler", "sched_yield", "seccomp", "set_robust_list", "set_thread_area", "set_tid_address", "setfsgid", "setfsuid", "setgid",
            "setgroups", "setitimer", "setpgid", "setpriority", "setregid", "setresgid", "setresuid", "setreuid", "setrlimit", "setsid", "setuid",
            "sigaltstack", "tgkill", "time", "times", "tkill", "uname", "sysinfo", "getcpu", "vfork", "wait4", "waitid", "chroot",
            "rt_sigtimedwait_time64", "futex_time64");

    private static final List<String> TIME_AND_EVENTS = List.of(
            "clock_getres", "clock_gettime", "clock_nanosleep", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2",
            "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "getitimer", "getrandom", "gettimeofday", "nanosleep", "pipe", "pipe2", "poll", "ppoll",
            "pselect6", "select", "signalfd", "signalfd4", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime",
            "timerfd_create", "timerfd_gettime", "timerfd_settime", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit",
            "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget",
            "semop", "semtimedop");

    // On sockets that exist; which may be made is in [#sockets].
    private static final List<String> NETWORK = List.of(
            "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg",
            "sendto", "setsockopt", "shutdown");

    // Known and refused, with an error that says so.
    private static final List<String> REFUSED = List.of(
            "acct", "add_key", "adjtimex", "bpf", "clock_adjtime", "clock_settime", "create_module", "delete_module", "fanotify_init", "fanotify_mark",
            "finit_module", "fsconfig", "fsmount", "fsopen", "fspick", "get_kernel_syms", "get_mempolicy", "init_module", "io_uring_enter", "io_uring_register",
            "io_uring_setup", "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "lsm_get_self_attr", "lsm_list_modules",
            "lsm_set_self_attr", "mbind", "migrate_pages", "mount", "mount_setattr", "move_mount", "move_pages", "name_to_handle_at", "nfsservctl",
            "open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd", "pivot_root", "process_madvise", "process_vm_readv", "process_vm_writev",
            "query_module", "quotactl", "quotactl_fd", "reboot", "request_key", "set_mempolicy", "set_mempolicy_home_node", "setdomainname", "sethostname",
            "setns", "settimeofday", "statmount", "listmount", "swapoff", "swapon", "sysfs", "syslog", "_sysctl", "umount", "umount2", "uselib", "userfaultfd",
            "ustat", "vhangup", "vm86", "vm86old");

    private SystemCalls() {}

    /// The `seccomp` section of an OCI bundle for the machine's own architecture.
    static Map<String, Object> profile(String architecture) {
        var rules = new ArrayList<Map<String, Object>>();
        for (var allowed : List.of(FILES, MEMORY, PROCESSES, TIME_AND_EVENTS, NETWORK)) {
            rules.add(Map.of("names", allowed, "action", "SCMP_ACT_ALLOW"));
        }
        namespaces(rules);
        sockets(rules);
        personality(rules);
        rules.add(Map.of("names", REFUSED, "action", "SCMP_ACT_ERRNO", "errnoRet", EPERM));
        return Map.of(
                "defaultAction", "SCMP_ACT_ERRNO",
                "defaultErrnoRet", ENOSYS,
                "architectures", List.of(architecture.equals("aarch64") ? "SCMP_ARCH_AARCH64" : "SCMP_ARCH_X86_64"),
                "syscalls", rules);
    }

    /// New processes and threads, but no new namespaces. clone3 hides its flags behind a pointer that a filter cannot read: it is said to be unknown, and
    /// C libraries use clone.
    private static void namespaces(List<Map<String, Object>> rules) {
        rules.add(allow("clone", List.of(masked(0, NEW_NAMESPACES, 0))));
        rules.add(allow("unshare", List.of(masked(0, NEW_NAMESPACES | CLONE_NEWTIME, 0))));
        for (long bit = 1; bit <= NEW_NAMESPACES; bit <<= 1) {
            if ((NEW_NAMESPACES & bit) != 0) {
                rules.add(refuse("clone", EPERM, List.of(masked(0, bit, bit))));
            }
            if (((NEW_NAMESPACES | CLONE_NEWTIME) & bit) != 0) {
                rules.add(refuse("unshare", EPERM, List.of(masked(0, bit, bit))));
            }
        }
        rules.add(refuse("clone3", ENOSYS, List.of()));
    }

    /// Unix sockets, TCP and UDP, and asking for interfaces and addresses. No raw or packet sockets, no vsock (it leads to a hypervisor), no AF_ALG
    /// (the kernel's ciphers), no other netlink, no family nobody needs.
    private static void sockets(List<Map<String, Object>> rules) {
        var families = List.of(AF_UNIX, AF_INET, AF_INET6, AF_NETLINK);
        rules.add(allow("socket", List.of(equal(0, AF_UNIX))));
        for (long family : List.of(AF_INET, AF_INET6)) {
            for (long type = 0; type <= SOCK_TYPE_MASK; type++) {
                var exactly = List.of(equal(0, family), masked(1, SOCK_TYPE_MASK, type));
                rules.add(type == SOCK_STREAM || type == SOCK_DGRAM ? allow("socket", exactly) : refuse("socket", EPERM, exactly));
            }
        }
        rules.add(allow("socket", List.of(equal(0, AF_NETLINK), equal(2, NETLINK_ROUTE))));
        rules.add(refuse("socket", EPROTONOSUPPORT, List.of(equal(0, AF_NETLINK), compare(2, "SCMP_CMP_NE", NETLINK_ROUTE))));
        for (long family = 0; family < AF_MAX; family++) {
            if (!families.contains(family)) {
                rules.add(refuse("socket", EAFNOSUPPORT, List.of(equal(0, family))));
            }
        }
        rules.add(refuse("socket", EAFNOSUPPORT, List.of(compare(0, "SCMP_CMP_GE", AF_MAX))));
        rules.add(allow("socketpair", List.of(equal(0, AF_UNIX))));
    }

    /// Asking for the personality, Linux' own, and that without address randomization (debuggers).
    private static void personality(List<Map<String, Object>> rules) {
        for (long value : List.of(0L, 0x4_0000L, 0xFFFF_FFFFL)) {
            rules.add(allow("personality", List.of(equal(0, value))));
        }
    }

    private static Map<String, Object> allow(String name, List<Map<String, Object>> conditions) {
        return Map.of("names", List.of(name), "action", "SCMP_ACT_ALLOW", "args", conditions);
    }

    private static Map<String, Object> refuse(String name, int error, List<Map<String, Object>> conditions) {
        var rule = new HashMap<String, Object>(Map.of("names", List.of(name), "action", "SCMP_ACT_ERRNO", "errnoRet", error));
        if (!conditions.isEmpty()) {
            rule.put("args", conditions);
        }
        return rule;
    }

    private static Map<String, Object> compare(int argument, String operator, long value) {
        return Map.of("index", argument, "value", value, "op", operator);
    }

    private static Map<String, Object> equal(int argument, long value) {
        return compare(argument, "SCMP_CMP_EQ", value);
    }

    private static Map<String, Object> masked(int argument, long mask, long value) {
        return Map.of("index", argument, "value", mask, "valueTwo", value, "op", "SCMP_CMP_MASKED_EQ");
    }
}
