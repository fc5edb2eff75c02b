//! Making a warm sandbox somebody's.

use crate::failure::{Failure, fail};
use crate::proto::Adopt;
use crate::proto::failed::Code;
use crate::seeds;
use crate::spawn::check_variables;
use crate::users::Register;
use rustix::fd::AsRawFd;
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeMap;

/// Linux's limit for a host name.
const MAX_HOSTNAME: usize = 64;
/// More entropy than this adds nothing; the kernel's pool is smaller.
const MAX_ENTROPY: usize = 512;
/// ioctl of /dev/random: _IOW('R', 0x03, int[2]).
const RNDADDENTROPY: libc::c_ulong = 0x4008_5203;
/// ioctl of /dev/random: _IO('R', 0x07).
const RNDRESEEDCRNG: libc::c_ulong = 0x5207;

/// What commands and file calls take when they do not say.
pub struct Identity {
    /// Variables below the command's own.
    pub env: BTreeMap<String, String>,
    /// Name of the user.
    pub user: String,
    /// True once adopted.
    pub adopted: bool,
    /// Who there is.
    pub register: Register,
}

impl Default for Identity {
    fn default() -> Self {
        Self { env: BTreeMap::new(), user: "root".to_owned(), adopted: false, register: Register::default() }
    }
}

/// Takes over an identity. Name, clock and randomness of the kernel are set where the sandbox has the right to; a container has not.
/// Without its files nobody is adopted.
pub fn adopt(identity: &mut Identity, asked: Adopt) -> Result<(), Failure> {
    check_variables(&asked.env)?;
    if asked.hostname.len() > MAX_HOSTNAME || asked.hostname.contains('\0') {
        return Err(fail(Code::Invalid, format!("host name {:?}: more than {MAX_HOSTNAME} bytes", asked.hostname)));
    }
    seeds::check(&asked.files)?;
    if !asked.user.is_empty() {
        identity.register.accounts().find(&asked.user)?;
    }
    seeds::plant(&asked.files)?;
    if !asked.user.is_empty() {
        identity.user = asked.user;
    }
    identity.env = asked.env;
    identity.adopted = true;
    if !asked.hostname.is_empty() {
        let _ = rustix::system::sethostname(asked.hostname.as_bytes());
    }
    if asked.time_nanos > 0 {
        let time = rustix::time::Timespec {
            tv_sec: (asked.time_nanos / 1_000_000_000) as i64,
            tv_nsec: (asked.time_nanos % 1_000_000_000) as i64,
        };
        let _ = rustix::time::clock_settime(rustix::time::ClockId::Realtime, time);
    }
    if !asked.entropy.is_empty() {
        add_entropy(&asked.entropy);
    }
    Ok(())
}

/// The kernel's `struct rand_pool_info`, with room for what we take.
#[repr(C)]
struct Pool {
    bits: i32,
    size: i32,
    bytes: [u8; MAX_ENTROPY],
}

fn add_entropy(entropy: &[u8]) {
    let Ok(random) = rustix::fs::open("/dev/urandom", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) else { return };
    let count = entropy.len().min(MAX_ENTROPY);
    // Lossless: at most MAX_ENTROPY.
    let mut pool = Pool { bits: count as i32 * 8, size: count as i32, bytes: [0; MAX_ENTROPY] };
    pool.bytes[..count].copy_from_slice(&entropy[..count]);
    // SAFETY: the kernel reads `size` bytes after the two numbers, which lie within the struct. The second call takes no argument.
    let added = unsafe {
        let added = libc::ioctl(random.as_raw_fd(), RNDADDENTROPY, &raw const pool);
        libc::ioctl(random.as_raw_fd(), RNDRESEEDCRNG);
        added
    };
    if added < 0 {
        // Without the right to be believed, they are at least mixed in.
        let _ = rustix::io::write(&random, &entropy[..count]);
    }
}
