package dev.caisson.runtime.microvm;

import java.nio.file.Path;

/// What a guest boots: Debian's cloud kernel, uncompressed, and an initramfs of its modules and our agent.
///
/// @param vmlinux an ELF file with a PVH entry
/// @param initramfs a cpio archive whose /init is the agent
/// @param digest SHA-256 of both, in hex
/// @param version the kernel's release, such as `6.1.0-40-cloud-amd64`
public record GuestKernel(Path vmlinux, Path initramfs, String digest, String version) {
    /// Parameters for the kernel; a VMM adds its console and devices.
    ///
    /// @param home see [Vmm#home]
    public String commandLine(String home) {
        return "quiet panic=-1 reboot=k init_on_alloc=0 cryptomgr.notests random.trust_cpu=on rdinit=/init caisson.home=" + home;
    }
}
