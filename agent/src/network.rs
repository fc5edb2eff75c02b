//! The network of a machine of its own.

use crate::netlink::{Netlink, Question};
use rustix::io;

/// Index of a device.
fn index(name: &str) -> io::Result<u32> {
    let name = std::ffi::CString::new(name).unwrap_or_default();
    // SAFETY: a live string that ends with a zero byte.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(crate::reap::last_error()),
        index => Ok(index),
    }
}

/// Brings a device up.
pub fn raise(name: &str) -> io::Result<()> {
    Netlink::open()?.change(link(index(name)?, libc::IFF_UP))
}

/// struct ifinfomsg: family, padding, type, index, flags, and which of them change.
fn link(index: u32, flags: libc::c_int) -> Question {
    let mut head = [0; 16];
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    head[8..12].copy_from_slice(&flags.to_ne_bytes());
    head[12..].copy_from_slice(&libc::IFF_UP.to_ne_bytes());
    Question::new(libc::RTM_NEWLINK, 0, &head)
}
