package dev.caisson.runtime.qemu;

import dev.caisson.sandbox.DriverName;

/// What runs the guest's instructions.
enum Acceleration {
    /// The processor itself; the guest sees all of it that KVM can give.
    KVM("kvm", "host", Acceleration.RESTART),
    /// QEMU, one host thread for each of the guest's processors.
    TCG("tcg,thread=multi,tb-size=" + Acceleration.TRANSLATED_MIB, "max", Acceleration.RESTART + " no_timer_check tsc=reliable");

    /// By a triple fault. There is no keyboard controller to ask, and the kernel would wait for it, emulated for two seconds.
    private static final String RESTART = " reboot=t";

    /// Room for translated instructions; full, it is emptied. Part of what every machine takes of its own.
    static final int TRANSLATED_MIB = 64;

    private final String accelerator;
    private final String processor;
    private final String parameters;

    Acceleration(String accelerator, String processor, String parameters) {
        this.accelerator = accelerator;
        this.processor = processor;
        this.parameters = parameters;
    }

    static Acceleration of(DriverName kind) {
        return switch (kind) {
            case QEMU -> KVM;
            case QEMU_TCG -> TCG;
            case FIRECRACKER, GVISOR, CONTAINER -> throw new IllegalArgumentException("QEMU is not what runs " + kind.label());
        };
    }

    String accelerator() {
        return accelerator;
    }

    String processor() {
        return processor;
    }

    /// For the guest kernel's command line, with a space before each.
    String parameters() {
        return parameters;
    }
}
