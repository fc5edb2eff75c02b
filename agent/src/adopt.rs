//! Making a warm sandbox somebody's.

use crate::failure::{Failure, fail};
use crate::identity::Ids;
use crate::network::{self, Known, Plan};
use crate::proto::failed::Code;
use crate::proto::seed_file::Kind;
use crate::proto::{Adopt, Awakening, SeedFile};
use crate::reap::last_error;
use crate::seeds;
use crate::spawn::check_variables;
use crate::users::Register;
use rustix::fd::AsRawFd;
use rustix::fs::{Mode, OFlags};
use rustix::io;
use std::collections::BTreeMap;

/// What ran before a copy was anybody's finds its variables here: NAME=VALUE, each ended by a zero byte, as in /proc/PID/environ. In memory, and root's alone.
const VARIABLES: &str = "/run/caisson-environment";
/// Linux's limit for a host name.
const MAX_HOSTNAME: usize = 64;
/// More entropy than this adds nothing; the kernel's pool is smaller.
const MAX_ENTROPY: usize = 512;
/// What a copy needs at least: more than the kernel takes for being random.
const MIN_ENTROPY: usize = 48;
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
    /// What the network device of a machine of its own has.
    pub network: Known,
}

impl Identity {
    /// `network` is what its device has, where we have set it.
    pub fn new(network: Known) -> Self {
        Self { env: BTreeMap::new(), user: "root".to_owned(), adopted: false, register: Register::default(), network }
    }
}

/// Takes over an identity. Name, clock and randomness of the kernel are set where the sandbox has the right to; a container has not.
/// The copy of a frozen machine must have them: without what it needs for itself, or without its files, nobody is adopted.
pub fn adopt(identity: &mut Identity, asked: Adopt) -> Result<(), Failure> {
    check_variables(&asked.env)?;
    if asked.hostname.len() > MAX_HOSTNAME || asked.hostname.contains('\0') {
        return Err(fail(Code::Invalid, format!("host name {:?}: more than {MAX_HOSTNAME} bytes", asked.hostname)));
    }
    seeds::check(&asked.files)?;
    if !asked.user.is_empty() {
        identity.register.accounts().find(&asked.user)?;
    }
    let copy = asked.awakening.as_ref().map(|awakening| Copy::of(awakening, asked.entropy.len())).transpose()?;
    let renewed = renew(&asked);
    if !asked.hostname.is_empty() {
        let _ = rustix::system::sethostname(asked.hostname.as_bytes());
    }
    let is_copy = copy.is_some();
    if let Some(copy) = copy {
        // First of all: keys made without it would be those of every other copy.
        renewed?;
        let new_machine = copy.ids.take()?;
        if let Some(plan) = copy.network {
            network::configure(&mut identity.network, plan, new_machine)?;
        }
    }
    seeds::plant(&asked.files)?;
    if is_copy {
        seeds::plant(&[variables(&asked.env)])?;
    }
    if !asked.user.is_empty() {
        identity.user = asked.user;
    }
    identity.env = asked.env;
    identity.adopted = true;
    Ok(())
}

fn variables(env: &BTreeMap<String, String>) -> SeedFile {
    let content = env.iter().flat_map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat()).collect();
    SeedFile { path: VARIABLES.into(), content, mode: 0o600, kind: Kind::Replace.into() }
}

/// What a copy has for itself, checked.
struct Copy {
    ids: Ids,
    network: Option<Plan>,
}

impl Copy {
    fn of(asked: &Awakening, entropy: usize) -> Result<Self, Failure> {
        if entropy < MIN_ENTROPY {
            return Err(fail(Code::Invalid, format!("a copy needs {MIN_ENTROPY} fresh random bytes, not {entropy}")));
        }
        let network = asked.network.as_ref().map(Plan::of).transpose()?;
        Ok(Self { ids: Ids::of(&asked.machine_id, &asked.boot_id)?, network })
    }
}

/// Sets clock and randomness. All is tried; an error is for who must have them.
fn renew(asked: &Adopt) -> Result<(), Failure> {
    let clock = match asked.time_nanos {
        0 => Ok(()),
        nanos => set_clock(nanos).map_err(|error| Failure::system("set the clock", error)),
    };
    if !asked.entropy.is_empty() {
        add_entropy(&asked.entropy).map_err(|error| Failure::system("renew the kernel's randomness", error))?;
    }
    clock
}

fn set_clock(nanos: u64) -> io::Result<()> {
    let time = rustix::time::Timespec { tv_sec: (nanos / 1_000_000_000) as i64, tv_nsec: (nanos % 1_000_000_000) as i64 };
    rustix::time::clock_settime(rustix::time::ClockId::Realtime, time)
}

/// The kernel's `struct rand_pool_info`, with room for what we take.
#[repr(C)]
struct Pool {
    bits: i32,
    size: i32,
    bytes: [u8; MAX_ENTROPY],
}

fn add_entropy(entropy: &[u8]) -> io::Result<()> {
    let random = rustix::fs::open("/dev/urandom", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    let count = entropy.len().min(MAX_ENTROPY);
    // Lossless: at most MAX_ENTROPY.
    let mut pool = Pool { bits: count as i32 * 8, size: count as i32, bytes: [0; MAX_ENTROPY] };
    pool.bytes[..count].copy_from_slice(&entropy[..count]);
    // SAFETY: the kernel reads `size` bytes after the two numbers, which lie within the struct.
    if unsafe { libc::ioctl(random.as_raw_fd(), RNDADDENTROPY, &raw const pool) } < 0 {
        let error = last_error();
        // Without the right to be believed, they are at least mixed in.
        let _ = io::write(&random, &entropy[..count]);
        return Err(error);
    }
    // Without this what was frozen is used up first. SAFETY: it takes no argument.
    if unsafe { libc::ioctl(random.as_raw_fd(), RNDRESEEDCRNG) } < 0 { Err(last_error()) } else { Ok(()) }
}
