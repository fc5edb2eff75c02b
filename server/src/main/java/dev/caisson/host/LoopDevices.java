package dev.caisson.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// Loop devices: a file as a block device. They are made with AUTOCLEAR, so that the last unmount lets the file go.
final class LoopDevices {
    private static final long LOOP_CLR_FD = 0x4C01;
    private static final long LOOP_CONFIGURE = 0x4C0A;
    private static final long LOOP_CTL_GET_FREE = 0x4C82;
    private static final int LO_FLAGS_READ_ONLY = 1;
    private static final int LO_FLAGS_AUTOCLEAR = 4;
    private static final int S_IFBLK_0600 = 0x6180;
    private static final int LOOP_MAJOR = 7;
    // A free device may be taken between asking for it and taking it; with 100 sandboxes starting at once a few rounds are normal.
    private static final int ATTEMPTS = 200;

    private LoopDevices() {}

    /// What is done with an attached device before our own hold of it ends.
    interface Use {
        void accept(Path device) throws IOException;
    }

    /// Attaches the file to a free device and hands it over; when `use` returns the device lives on only if it is mounted.
    static void with(Path file, boolean readOnly, Use use) throws IOException {
        int backing = NativeLinux.open(file.toString(), readOnly ? NativeLinux.O_RDONLY : NativeLinux.O_RDWR);
        try {
            int control = NativeLinux.open("/dev/loop-control", NativeLinux.O_RDWR);
            try {
                attach(file, readOnly, backing, control, use);
            } finally {
                NativeLinux.close(control);
            }
        } finally {
            NativeLinux.close(backing);
        }
    }

    private static void attach(Path file, boolean readOnly, int backing, int control, Use use) throws IOException {
        for (int attempt = 1; ; attempt++) {
            int number = (int) NativeLinux.ioctl(control, "LOOP_CTL_GET_FREE", LOOP_CTL_GET_FREE, 0);
            var device = Path.of("/dev/loop" + number);
            makeNode(device, number);
            int fd = -1;
            try {
                fd = NativeLinux.open(device.toString(), readOnly ? NativeLinux.O_RDONLY : NativeLinux.O_RDWR);
                NativeLinux.ioctl(fd, "LOOP_CONFIGURE " + device + " " + file, LOOP_CONFIGURE, configuration(backing, file, readOnly));
            } catch (NativeException e) {
                if (fd >= 0) {
                    NativeLinux.close(fd);
                }
                boolean taken = e.errno() == Errno.EBUSY || e.errno() == Errno.ENXIO || e.errno() == Errno.ENOENT;
                if (!taken || attempt == ATTEMPTS) {
                    throw e;
                }
                Pause.of(Duration.ofMillis(1));
                continue;
            }
            try {
                use.accept(device);
            } finally {
                NativeLinux.close(fd);
            }
            return;
        }
    }

    /// Without udev nobody makes the node of a new device.
    private static void makeNode(Path device, int number) throws IOException {
        if (Files.exists(device)) {
            return;
        }
        try {
            // makedev(7, n) of the C library: minors above 255 go to bits 20 and up.
            NativeLinux.mknod(device.toString(), S_IFBLK_0600, (number & 0xffL) | ((long) LOOP_MAJOR << 8) | ((number & ~0xffL) << 12));
        } catch (NativeException e) {
            if (e.errno() != Errno.EEXIST) {
                throw e;
            }
        }
    }

    /// struct loop_config of linux/loop.h: fd, block size, struct loop_info64 (232 bytes), 64 reserved bytes.
    private static byte[] configuration(int backing, Path file, boolean readOnly) {
        var config = ByteBuffer.allocate(304).order(ByteOrder.nativeOrder());
        config.putInt(0, backing);
        // Writable disks of ours have blocks of 4 KiB; 0 is the default of 512, which any image fits.
        config.putInt(4, readOnly ? 0 : 4096);
        config.putInt(8 + 52, LO_FLAGS_AUTOCLEAR | (readOnly ? LO_FLAGS_READ_ONLY : 0));
        var name = file.toString().getBytes(StandardCharsets.UTF_8);
        config.put(8 + 56, name, 0, Math.min(name.length, 63));
        return config.array();
    }

    /// Devices that hold this file, whoever attached it.
    static List<Path> of(Path file) throws IOException {
        var found = new ArrayList<Path>();
        try (var blocks = Files.newDirectoryStream(Path.of("/sys/block"), "loop*")) {
            for (Path block : blocks) {
                var held = CgroupFiles.text(block.resolve("loop/backing_file")).stripTrailing();
                if (held.equals(file.toString()) || held.equals(file + " (deleted)")) {
                    found.add(Path.of("/dev").resolve(block.getFileName()));
                }
            }
        }
        return found;
    }

    /// Lets the file go; when the device is still mounted, as soon as it is not.
    static void detach(Path device) throws IOException {
        int fd = NativeLinux.open(device.toString(), NativeLinux.O_RDONLY);
        try {
            NativeLinux.ioctl(fd, "LOOP_CLR_FD " + device, LOOP_CLR_FD, 0);
        } catch (NativeException e) {
            if (e.errno() != Errno.ENXIO) {
                throw e;
            }
        } finally {
            NativeLinux.close(fd);
        }
    }
}
