package dev.caisson.runtime.qemu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// A system call filter below QEMU's own, as a classic BPF program for seccomp(2) on x86_64.
///
/// QEMU's refuses to start programs, to become somebody else and what is long obsolete. It leaves what a process without a right uses to get more of the kernel to attack: this
/// refuses, with EPERM, new namespaces and mounts, keys, BPF, performance events, other processes' memory, modules, io_uring (QEMU does without), and sockets that are not unix ones.
final class CallFilter {
    private static final int AUDIT_ARCH_X86_64 = 0xC000_003E;
    private static final int X32 = 0x4000_0000;
    private static final int LOAD = 0x20;
    private static final int JUMP_IF_EQUAL = 0x15;
    private static final int JUMP_IF_AT_LEAST = 0x35;
    private static final int ANSWER = 0x06;
    private static final int KILL_PROCESS = 0x8000_0000;
    private static final int ALLOW = 0x7fff_0000;
    private static final int EPERM = 0x0005_0001;
    // struct seccomp_data: number, architecture, instruction pointer, six arguments.
    private static final int NUMBER = 0;
    private static final int ARCHITECTURE = 4;
    private static final int FIRST_ARGUMENT = 16;
    private static final int SOCKET = 41;
    private static final int AF_UNIX = 1;

    /// By their numbers on x86_64.
    private static final int[] REFUSED = {
        101, // ptrace
        103, // syslog
        155, // pivot_root
        161, // chroot
        163, // acct
        165, 166, // mount, umount2
        167, 168, // swapon, swapoff
        169, // reboot
        170, 171, // sethostname, setdomainname
        172, 173, // iopl, ioperm
        175, 176, 313, // init_module, delete_module, finit_module
        179, 443, // quotactl, quotactl_fd
        246, 320, // kexec_load, kexec_file_load
        248, 249, 250, // add_key, request_key, keyctl
        272, 308, // unshare, setns
        298, // perf_event_open
        300, // fanotify_init
        304, // open_by_handle_at
        310, 311, 312, // process_vm_readv, process_vm_writev, kcmp
        321, // bpf
        323, // userfaultfd
        425, 426, 427, // io_uring_setup, io_uring_enter, io_uring_register
        428, 429, 430, 431, 432, 433, 442, // open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr
        438, // pidfd_getfd
    };

    private CallFilter() {}

    /// The program, as bwrap's `--seccomp` reads it: struct sock_filter after struct sock_filter.
    static byte[] program() {
        int checks = REFUSED.length;
        var program = ByteBuffer.allocate(8 * (checks + 11)).order(ByteOrder.LITTLE_ENDIAN);
        add(program, LOAD, 0, 0, ARCHITECTURE);
        add(program, JUMP_IF_EQUAL, 1, 0, AUDIT_ARCH_X86_64);
        add(program, ANSWER, 0, 0, KILL_PROCESS);
        add(program, LOAD, 0, 0, NUMBER);
        // From each of these to the refusal, which is the last.
        add(program, JUMP_IF_AT_LEAST, checks + 5, 0, X32);
        for (int i = 0; i < checks; i++) {
            add(program, JUMP_IF_EQUAL, checks - i + 4, 0, REFUSED[i]);
        }
        add(program, JUMP_IF_EQUAL, 1, 0, SOCKET);
        add(program, ANSWER, 0, 0, ALLOW);
        add(program, LOAD, 0, 0, FIRST_ARGUMENT);
        add(program, JUMP_IF_EQUAL, 0, 1, AF_UNIX);
        add(program, ANSWER, 0, 0, ALLOW);
        add(program, ANSWER, 0, 0, EPERM);
        return program.array();
    }

    private static void add(ByteBuffer program, int code, int ifTrue, int ifFalse, int value) {
        program.putShort((short) code).put((byte) ifTrue).put((byte) ifFalse).putInt(value);
    }
}
