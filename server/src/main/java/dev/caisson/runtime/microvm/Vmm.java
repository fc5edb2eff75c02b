package dev.caisson.runtime.microvm;

import dev.caisson.sandbox.ByteSize;
import dev.caisson.sandbox.DriverName;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/// A virtual machine monitor: what QEMU and Firecracker do in ways of their own.
///
/// It undoes nothing, not even after a failure: whoever asked reclaims cgroup, directory and namespace, and with them every process and socket of the machine.
/// Its programs run in the cgroup of the [Vm], as the user of the [Vm], in the network namespace of the [Vm], with no capability and behind a system call filter.
/// Threads: safe for many.
public interface Vmm {
    DriverName kind();

    /// Name of the program, such as `qemu-system-x86_64`; for people.
    String name();

    /// Why this host cannot run it and what to do; empty when it can. Cheap after the first call. A KVM that cannot run a guest is found out by running one.
    Optional<String> unfit();

    /// See [dev.caisson.runtime.Driver#beingTried].
    default Optional<String> beingTried() {
        return Optional.empty();
    }

    /// All of this VMM and this host that a frozen machine depends on: program and its version, kind of machine, and CPU features where the guest sees them. One line; a
    /// snapshot made with another one is never loaded. Only asked when it is fit.
    String fingerprint() throws IOException, InterruptedException;

    /// How the guest's agent reaches home: `port:NAME` for a virtio-serial port, `vsock:PORT`.
    String home();

    /// True when it opens the file of a snapshot's memory for writing, though it does not write: then it gets memory that cannot be written to.
    boolean needsSealedMemory();

    /// What the VMM may take beside the guest's memory; the cgroup bounds both together.
    ByteSize overhead();

    /// Starts a machine from a kernel. Returns when the guest runs.
    ///
    /// Errors: an [IOException] whose message names what failed and the VMM's own last words; so for all below.
    void start(Vm vm, GuestKernel guest) throws IOException, InterruptedException;

    /// Ends a connection.
    @FunctionalInterface
    interface HangUp {
        void hangUp() throws IOException;
    }

    /// Stops a machine that [#start] began and writes what it is into two new files; its disk is its file. The VMM has ended when this returns.
    ///
    /// @param farewell ends the connection of the machine's agent. It is frozen when the guest has noticed that: a copy looks for its own host then, and does not take that for the one
    ///     before
    /// @param memory the guest's memory, as sparse as it can be
    /// @param state everything else
    void freeze(Vm vm, HangUp farewell, Path memory, Path state) throws IOException, InterruptedException;

    /// Starts a machine from a snapshot, as its copy: nothing that it does reaches the snapshot's files. Returns when the guest runs.
    ///
    /// @param vm of the same shape as the frozen one
    void restore(Vm vm, Snapshot snapshot) throws IOException, InterruptedException;

    /// Stops a running machine; one that stands still is left so.
    void pause(Vm vm) throws IOException, InterruptedException;

    /// Lets it go on; one that runs is left so.
    void resume(Vm vm) throws IOException, InterruptedException;
}
