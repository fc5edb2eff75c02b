package dev.caisson.runtime.firecracker;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// Guests of a few instructions, for a KVM that runs no Linux: an ELF64 file that Firecracker enters in 64-bit mode at its first byte, with memory mapped one to one.
///
/// They know one device, the serial port: data at 0x3f8, line status at 0x3fd, of which bit 0 says that a byte has come.
final class TinyGuest {
    private static final long LOAD_AT = 1 << 20;
    private static final int HEADERS = 64 + 56;

    private final ByteArrayOutputStream code = new ByteArrayOutputStream();

    private TinyGuest() {}

    /// Says something and then gives back every byte it gets.
    static TinyGuest echo(String banner) {
        return new TinyGuest().says(banner).bytes(
                0x66, 0xba, 0xfd, 0x03, // again: mov dx, 0x3fd
                0xec, 0xa8, 0x01, // in al, dx; test al, 1
                0x74, 0xf7, // jz again
                0x66, 0xba, 0xf8, 0x03, // mov dx, 0x3f8
                0xec, 0xee, // in al, dx; out dx, al
                0xeb, 0xef); // jmp again
    }

    /// Says something and then sleeps for ever.
    static TinyGuest idle(String banner) {
        return new TinyGuest().says(banner).bytes(0xfa, 0xf4, 0xeb, 0xfd); // cli; again: hlt; jmp again
    }

    /// Says the same without end.
    static TinyGuest flood() {
        return new TinyGuest().bytes(0x66, 0xba, 0xf8, 0x03, 0xb0, 'x', 0xee, 0xeb, 0xfd); // mov dx, 0x3f8; mov al, 'x'; again: out dx, al; jmp again
    }

    /// Says something and presses the reset button.
    static TinyGuest restarting(String banner) {
        return new TinyGuest().says(banner).bytes(0xb0, 0xfe, 0xe6, 0x64, 0xf4); // mov al, 0xfe; out 0x64, al; hlt
    }

    /// Does what no processor can: an exception without a handler for it, nor for that.
    static TinyGuest broken() {
        return new TinyGuest().bytes(0x0f, 0x0b); // ud2
    }

    private TinyGuest says(String text) {
        bytes(0x66, 0xba, 0xf8, 0x03); // mov dx, 0x3f8
        for (byte each : text.getBytes(StandardCharsets.US_ASCII)) {
            bytes(0xb0, each, 0xee); // mov al, each; out dx, al
        }
        return this;
    }

    private TinyGuest bytes(int... bytes) {
        for (int each : bytes) {
            code.write(each);
        }
        return this;
    }

    Path writeTo(Path file) throws IOException {
        var elf = ByteBuffer.allocate(HEADERS + code.size()).order(ByteOrder.LITTLE_ENDIAN);
        elf.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16); // 64 bit, little endian, version 1
        elf.putShort((short) 2).putShort((short) 62).putInt(1); // an executable for x86-64, version 1
        elf.putLong(LOAD_AT).putLong(64).putLong(0).putInt(0); // entry, where the program headers are, no sections, no flags
        elf.putShort((short) 64).putShort((short) 56).putShort((short) 1).putShort((short) 0).putShort((short) 0).putShort((short) 0);
        elf.putInt(1).putInt(5); // to be loaded, readable and executable
        elf.putLong(HEADERS).putLong(LOAD_AT).putLong(LOAD_AT).putLong(code.size()).putLong(code.size()).putLong(4096);
        elf.put(code.toByteArray());
        return Files.write(file, elf.array());
    }
}
