package dev.caisson.runtime.qemu;

import dev.caisson.host.KvmDevice;
import dev.caisson.host.Tap;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/// What a machine has on the host's disk beside its own. All of it root's, in a directory that only root changes; what belongs to the machine's user are files in it.
record Places(Path workshop) {
    static Places make(Path workshop) throws IOException {
        var places = new Places(workshop);
        Files.createDirectory(workshop, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Files.createDirectory(places.out(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
        return places;
    }

    /// The directory of what a machine may dial beside its door.
    Path out() {
        return workshop.resolve("out");
    }

    Path stateSocket() {
        return out().resolve("state.sock");
    }

    /// Of a machine that is to be frozen.
    Path memory() {
        return workshop.resolve("memory");
    }

    /// Of a machine that is being restored, for a moment.
    Path state() {
        return workshop.resolve("state");
    }

    /// A new file with the system call filter.
    Path callFilter() throws IOException {
        return Files.write(workshop.resolve("calls"), CallFilter.program());
    }

    /// A new device file for taps of that user's.
    Path tunDevice(int user) throws IOException {
        var device = workshop.resolve("tun");
        Tap.makeDevice(device, user);
        return device;
    }

    Path kvmDevice(int user) throws IOException {
        var device = workshop.resolve("kvm");
        KvmDevice.make(device, user);
        return device;
    }
}
