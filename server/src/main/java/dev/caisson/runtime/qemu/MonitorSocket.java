package dev.caisson.runtime.qemu;

import dev.caisson.host.Cgroups;
import dev.caisson.runtime.microvm.Vm;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Optional;
import jdk.net.ExtendedSocketOptions;

/// Where the monitor of a machine's QEMU listens: in the little file system in memory that is the jail's own, which is reached through one of the jail's processes. There is no
/// directory of the host's disk that a VMM could fill.
///
/// What is dialed must be a socket of the machine's user, and be listened at by that user; a link is never followed, since where it led would be a place of ours.
record MonitorSocket(Cgroups cgroups) {
    private static final int TYPE = 0170000;
    private static final int SOCKET = 0140000;

    /// Dials it, as soon as it is there.
    ///
    /// @param running false when there is no more hope
    Qmp dial(Vm vm, Deadline deadline, Hope running) throws IOException, InterruptedException {
        while (true) {
            for (int process : cgroups.processes(vm.cgroup())) {
                var channel = connect(Path.of("/proc/" + process + "/root" + Jail.SCRATCH + "/" + CommandLine.QMP), vm.user());
                if (channel.isPresent()) {
                    return new Qmp(channel.get());
                }
            }
            running.check();
            deadline.pause();
        }
    }

    /// Fails when it is of no use to wait on.
    @FunctionalInterface
    interface Hope {
        void check() throws IOException, InterruptedException;
    }

    /// Its owner, when it is a socket of that user's.
    private static Optional<Object> owner(Path path, int user) {
        try {
            var facts = Files.readAttributes(path, "unix:mode,uid,owner", LinkOption.NOFOLLOW_LINKS);
            boolean fit = facts.get("mode") instanceof Integer mode && (mode & TYPE) == SOCKET && Integer.valueOf(user).equals(facts.get("uid"));
            return fit ? Optional.ofNullable(facts.get("owner")) : Optional.empty();
        } catch (IOException _) {
            // Not there (yet), or the process has gone.
            return Optional.empty();
        }
    }

    /// Empty when that user has no socket there (yet), or nobody listens, or has no room for one more.
    ///
    /// Errors: an [IOException] when another one listens.
    static Optional<SocketChannel> connect(Path path, int user) throws IOException {
        var owner = owner(path, user);
        return owner.isPresent() ? connect(path, owner.get()) : Optional.empty();
    }

    private static Optional<SocketChannel> connect(Path path, Object owner) throws IOException {
        var channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.configureBlocking(false);
            if (!channel.connect(UnixDomainSocketAddress.of(path))) {
                channel.close();
                return Optional.empty();
            }
        } catch (IOException _) {
            channel.close();
            return Optional.empty();
        }
        try {
            var listener = channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
            if (!listener.equals(owner)) {
                throw new IOException("who listens at " + path + " is user " + listener.getName() + ", not " + owner);
            }
            return Optional.of(channel);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }
}
