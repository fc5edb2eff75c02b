//! Kernel modules of the initramfs.

use crate::guest::Broken;
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

/// Loads the modules that `order` in the folder names, one file of the folder a line. A kernel that needs none has no such file.
pub fn load(folder: &Path) -> Result<(), Broken> {
    let order = match std::fs::read_to_string(folder.join("order")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|error| Broken::at("read /modules/order", error))?,
    };
    for name in order.lines().map(str::trim).filter(|name| !name.is_empty()) {
        let file = File::open(folder.join(name)).map_err(|error| Broken::at(format_args!("open kernel module {name}"), error))?;
        match rustix::system::finit_module(file.as_fd(), c"", 0) {
            // Another one has asked for it, or it is part of the kernel.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(Errno::NOENT) => return Err(Broken::at(format_args!("load kernel module {name}"), "one that it needs is not before it in the order")),
            Err(error) => return Err(Broken::at(format_args!("load kernel module {name}"), error)),
        }
    }
    Ok(())
}
