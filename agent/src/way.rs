//! How the host is reached: what a dial opens, and when that is a connection.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::{self, Errno};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt};
use std::path::{Path, PathBuf};

/// Asked of the kernel, which gives what it likes; the larger, the fewer wake-ups.
const SEND_BUFFER: usize = 512 * 1024;
/// Where the kernel lists virtio-serial ports, each with its name.
const PORTS: &str = "/sys/class/virtio-ports";
/// What takes longer is dialed again: the question may have been asked of a machine that has been frozen since.
const PATIENCE: libc::timeval = libc::timeval { tv_sec: 0, tv_usec: 200_000 };
/// linux/vm_sockets.h
const CONNECT_TIMEOUT: libc::c_int = 6;

/// Where home is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A unix socket.
    Socket(PathBuf),
    /// A virtio-serial port by its name. It knows no connections: it is open as long as we like, and says whether somebody is at the host's end.
    Port(String),
    /// A port of the host, over vsock.
    Vsock(u32),
}

/// What became of a dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The host is there.
    Connected,
    /// Not yet; an event of the descriptor says when to look again.
    Pending,
    /// It will not become one.
    Failed,
}

impl Way {
    /// As the kernel's command line has it: `port:NAME` or `vsock:PORT`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("port", name) if !name.is_empty() => Some(Self::Port(name.to_owned())),
            ("vsock", port) => port.parse().ok().map(Self::Vsock),
            _ => None,
        }
    }

    /// Opens what may become a connection; never waits.
    pub fn open(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Socket(path) => {
                let address = SocketAddrUnix::new(path)?;
                let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags(), None)?;
                let _ = sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER);
                connect(&socket, &address)?;
                Ok(socket)
            }
            Self::Port(name) => {
                let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                rustix::fs::open(device(name).ok_or(Errno::NOENT)?, flags, Mode::empty())
            }
            Self::Vsock(port) => dial_host(*port),
        }
    }

    /// Is what was opened a connection now?
    pub fn look(&self, fd: &OwnedFd) -> Progress {
        let mut polled = [PollFd::new(fd, PollFlags::OUT)];
        if poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_err() {
            return Progress::Pending;
        }
        let found = polled[0].revents();
        match self {
            Self::Port(_) if found.contains(PollFlags::HUP) => Progress::Pending,
            Self::Port(_) => Progress::Connected,
            _ if found.intersects(PollFlags::HUP | PollFlags::ERR) => Progress::Failed,
            _ if found.contains(PollFlags::OUT) => Progress::Connected,
            _ => Progress::Pending,
        }
    }

    /// True when the host may be another one without our seeing the old one go: its end has no connections.
    pub fn is_line(&self) -> bool {
        matches!(self, Self::Port(_))
    }
}

fn flags() -> SocketFlags {
    SocketFlags::CLOEXEC | SocketFlags::NONBLOCK
}

/// The port's device. There is no udev to name it in /dev.
fn device(name: &str) -> Option<PathBuf> {
    let named = |port: &Path| std::fs::read_to_string(port.join("name")).is_ok_and(|found| found.trim_end() == name);
    let port = std::fs::read_dir(PORTS).ok()?.flatten().find(|port| named(&port.path()))?;
    Some(Path::new("/dev").join(port.file_name()))
}

/// Begins to connect to a port of the host over vsock.
fn dial_host(port: u32) -> io::Result<OwnedFd> {
    let family = AddressFamily::from_raw(libc::AF_VSOCK as u16);
    let socket = socket_with(family, SocketType::STREAM, flags(), None)?;
    let patience = PATIENCE;
    // SAFETY: zeros are a valid address; both pointers are to live structs of the sizes given.
    let result = unsafe {
        let mut address: libc::sockaddr_vm = std::mem::zeroed();
        address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
        address.svm_cid = libc::VMADDR_CID_HOST;
        address.svm_port = port;
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::AF_VSOCK,
            CONNECT_TIMEOUT,
            (&raw const patience).cast(),
            size_of::<libc::timeval>() as libc::socklen_t,
        );
        libc::connect(socket.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_vm>() as libc::socklen_t)
    };
    match crate::reap::last_error() {
        _ if result == 0 => Ok(socket),
        Errno::INPROGRESS => Ok(socket),
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_command_line_says() {
        assert_eq!(Way::parse("port:caisson.agent"), Some(Way::Port("caisson.agent".to_owned())));
        assert_eq!(Way::parse("vsock:1024"), Some(Way::Vsock(1024)));
        for wrong in ["", "port", "port:", "vsock:", "vsock:-1", "vsock:99999999999", "tcp:80"] {
            assert_eq!(Way::parse(wrong), None, "{wrong}");
        }
    }
}
