//! The network of a machine of its own: one device beside loopback, with exactly the addresses and routes that it is given.

use crate::failure::{Failure, fail};
use crate::netlink::{Netlink, Question, attribute};
use crate::proto::failed::Code;
use crate::proto::{Address, Network};
use rustix::io::{self, Errno};
use std::ffi::CString;
use std::fmt::Display;
use std::net::IpAddr;
use std::path::Path;

const DEVICE: &str = "eth0";
const MAX_ADDRESSES: usize = 16;
/// One of IPv4, one of IPv6.
const MAX_GATEWAYS: usize = 2;
/// linux/if_addr.h: usable at once, without asking the neighbours.
const IFA_F_NODAD: u32 = 0x02;
const IFA_FLAGS: u16 = 8;
/// linux/rtnetlink.h
const RTNH_F_ONLINK: u32 = 4;
/// Of struct ifaddrmsg, rtmsg and ifinfomsg.
const ADDRESS_HEAD: usize = 8;
const ROUTE_HEAD: usize = 12;
const LINK_HEAD: usize = 16;

/// Addresses with their prefix, and gateways, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    addresses: Vec<(IpAddr, u8)>,
    gateways: Vec<IpAddr>,
}

impl Plan {
    /// Refuses what is no address.
    pub fn of(asked: &Network) -> Result<Self, Failure> {
        if asked.addresses.len() > MAX_ADDRESSES {
            return Err(fail(Code::Invalid, format!("network: {} addresses, at most {MAX_ADDRESSES}", asked.addresses.len())));
        }
        let mut plan = Self::default();
        for Address { address, prefix } in &asked.addresses {
            let address = ip(address)?;
            let bits = if address.is_ipv4() { 32 } else { 128 };
            if *prefix > bits {
                return Err(fail(Code::Invalid, format!("network: {address}/{prefix}: at most {bits}")));
            }
            // Lossless: at most 128.
            plan.addresses.push((address, *prefix as u8));
        }
        plan.gateways = asked.gateways.iter().map(|gateway| ip(gateway)).collect::<Result<_, _>>()?;
        let of_ipv4 = plan.gateways.iter().filter(|gateway| gateway.is_ipv4()).count();
        if plan.gateways.len() > MAX_GATEWAYS || of_ipv4 > 1 || plan.gateways.len() - of_ipv4 > 1 {
            return Err(fail(Code::Invalid, "network: more than one gateway of a kind"));
        }
        plan.addresses.sort_unstable();
        plan.addresses.dedup();
        plan.gateways.sort_unstable();
        Ok(plan)
    }

    fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.gateways.is_empty()
    }
}

fn ip(bytes: &[u8]) -> Result<IpAddr, Failure> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| sixteen()).map_err(|_| fail(Code::Invalid, format!("network: an address of {} bytes; 4 or 16", bytes.len())))
}

/// What the device is known to have; unknown where we have not set it.
pub type Known = Option<Plan>;

/// Brings the device up with nothing, while there is time. A machine may have none.
pub fn prepare() -> Result<(), Failure> {
    match index(DEVICE) {
        Err(Errno::NODEV) => Ok(()),
        index => {
            be_told_nothing()?;
            let index = index.map_err(|error| wrong(format_args!("find {DEVICE}"), error))?;
            Device::of(index)?.set_up(true)
        }
    }
}

/// Brings the device up with this alone. Where it is so already nothing happens; but what it has learnt of its neighbours, a new machine forgets.
pub fn configure(known: &mut Known, plan: Plan, new_machine: bool) -> Result<(), Failure> {
    if known.as_ref() == Some(&plan) && (!new_machine || plan.is_empty()) {
        return Ok(());
    }
    let index = match index(DEVICE) {
        Err(Errno::NODEV) if plan.is_empty() => return Ok(()),
        other => other.map_err(|error| wrong(format_args!("find {DEVICE}"), error))?,
    };
    let mut device = Device::of(index)?;
    if !known.take().is_some_and(|plan| plan.is_empty()) && device.clear(&plan, new_machine)? {
        *known = Some(plan);
        return Ok(());
    }
    let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
    for (address, prefix) in &plan.addresses {
        let added = device.address(libc::RTM_NEWADDR, flags, *address, *prefix);
        added.map_err(|error| wrong(format_args!("add {address}/{prefix}"), error))?;
    }
    for gateway in &plan.gateways {
        device.route(flags, *gateway).map_err(|error| wrong(format_args!("add a route by {gateway}"), error))?;
    }
    *known = Some(plan);
    Ok(())
}

fn wrong(what: impl Display, error: Errno) -> Failure {
    Failure::system(format_args!("network: {what}"), error)
}

/// Brings a device up.
pub fn raise(name: &str) -> Result<(), Failure> {
    Device::of(index(name).map_err(|error| wrong(format_args!("find {name}"), error))?)?.set_up(true)
}

/// Index of a device.
fn index(name: &str) -> io::Result<u32> {
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: a live string that ends with a zero byte.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(crate::reap::last_error()),
        index => Ok(index),
    }
}

/// No router and no neighbour has a say in our addresses, and none is asked. A kernel without IPv6 has no such settings.
fn be_told_nothing() -> Result<(), Failure> {
    let settings = Path::new("/proc/sys/net/ipv6/conf").join(DEVICE);
    if !settings.exists() {
        return Ok(());
    }
    // addr_gen_mode 1: it makes no address of its own.
    for (name, value) in [("accept_ra", "0"), ("autoconf", "0"), ("router_solicitations", "0"), ("accept_dad", "0"), ("addr_gen_mode", "1")] {
        std::fs::write(settings.join(name), value)
            .map_err(|error| wrong(format_args!("set {name} of {DEVICE}"), Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    }
    Ok(())
}

/// A device as it is.
struct Found {
    up: bool,
    plan: Plan,
}

struct Device {
    netlink: Netlink,
    index: u32,
}

impl Device {
    fn of(index: u32) -> Result<Self, Failure> {
        Ok(Self { index, netlink: Netlink::open().map_err(|error| wrong("ask the kernel", error))? })
    }

    /// Brings it up with nothing; true when it has what is wanted instead.
    fn clear(&mut self, wanted: &Plan, in_any_case: bool) -> Result<bool, Failure> {
        let now = self.now().map_err(|error| wrong(format_args!("look at {DEVICE}"), error))?;
        if now.up && now.plan == *wanted && !in_any_case {
            return Ok(true);
        }
        // Down first: routes and neighbours go too.
        self.set_up(false)?;
        for (address, prefix) in &now.plan.addresses {
            match self.address(libc::RTM_DELADDR, 0, *address, *prefix) {
                // IPv6 addresses went when it was brought down.
                Ok(()) | Err(Errno::ADDRNOTAVAIL) => {}
                Err(error) => return Err(wrong(format_args!("remove {address}/{prefix}"), error)),
            }
        }
        be_told_nothing()?;
        self.set_up(true)?;
        Ok(false)
    }

    fn now(&mut self) -> io::Result<Found> {
        let (index, mut up, mut plan) = (self.index, false, Plan::default());
        self.netlink.list(Question::new(libc::RTM_GETLINK, 0, &[0; LINK_HEAD]), |body| {
            if number(body, 4) == Some(index) {
                up = number(body, 8).is_some_and(|flags| flags & libc::IFF_UP as u32 != 0);
            }
        })?;
        self.netlink.list(Question::new(libc::RTM_GETADDR, 0, &[0; ADDRESS_HEAD]), |body| {
            // Of IPv4 the local one: the other is the peer's.
            let address = attribute(body, ADDRESS_HEAD, libc::IFA_LOCAL).or_else(|| attribute(body, ADDRESS_HEAD, libc::IFA_ADDRESS));
            if number(body, 4) == Some(index)
                && let Some(address) = address.and_then(|bytes| ip(bytes).ok())
            {
                plan.addresses.push((address, body[1]));
            }
        })?;
        self.netlink.list(Question::new(libc::RTM_GETROUTE, 0, &[0; ROUTE_HEAD]), |body| {
            let out = attribute(body, ROUTE_HEAD, libc::RTA_OIF).and_then(|bytes| number(bytes, 0));
            let gateway = attribute(body, ROUTE_HEAD, libc::RTA_GATEWAY).and_then(|bytes| ip(bytes).ok());
            // A default route: its destination has no bits.
            if let Some(gateway) = gateway.filter(|_| out == Some(index) && body.get(1) == Some(&0)) {
                plan.gateways.push(gateway);
            }
        })?;
        plan.addresses.sort_unstable();
        plan.gateways.sort_unstable();
        Ok(Found { up, plan })
    }

    fn set_up(&mut self, up: bool) -> Result<(), Failure> {
        let mut head = [0; LINK_HEAD];
        head[4..8].copy_from_slice(&self.index.to_ne_bytes());
        head[8..12].copy_from_slice(&(if up { libc::IFF_UP } else { 0 }).to_ne_bytes());
        // Which flags are meant.
        head[12..].copy_from_slice(&libc::IFF_UP.to_ne_bytes());
        let way = if up { "up" } else { "down" };
        self.netlink.change(Question::new(libc::RTM_NEWLINK, 0, &head)).map_err(|error| wrong(format_args!("bring a device {way}"), error))
    }

    fn address(&mut self, kind: u16, flags: libc::c_int, address: IpAddr, prefix: u8) -> io::Result<()> {
        let mut head = [family(address), prefix, 0, libc::RT_SCOPE_UNIVERSE, 0, 0, 0, 0];
        head[4..].copy_from_slice(&self.index.to_ne_bytes());
        let bytes = octets(address);
        let question = Question::new(kind, flags, &head).with(libc::IFA_LOCAL, &bytes).with(libc::IFA_ADDRESS, &bytes);
        self.netlink.change(question.with(IFA_FLAGS, &IFA_F_NODAD.to_ne_bytes()))
    }

    fn route(&mut self, flags: libc::c_int, gateway: IpAddr) -> io::Result<()> {
        // struct rtmsg: family, bits of destination and source, tos, table, protocol, scope, type, flags.
        let mut head = [family(gateway), 0, 0, 0, libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST, 0, 0, 0, 0];
        // Reached on the link whatever our addresses are.
        head[8..].copy_from_slice(&RTNH_F_ONLINK.to_ne_bytes());
        let question = Question::new(libc::RTM_NEWROUTE, flags, &head).with(libc::RTA_GATEWAY, &octets(gateway));
        self.netlink.change(question.with(libc::RTA_OIF, &self.index.to_ne_bytes()))
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn family(address: IpAddr) -> u8 {
    // Lossless: small numbers.
    (if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u8
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(addresses: &[(&[u8], u32)], gateways: &[&[u8]]) -> Network {
        Network {
            addresses: addresses.iter().map(|(address, prefix)| Address { address: address.to_vec(), prefix: *prefix }).collect(),
            gateways: gateways.iter().map(|gateway| gateway.to_vec()).collect(),
        }
    }

    #[test]
    fn refuses_what_is_no_network() {
        let good = network(&[(&[10, 0, 0, 2], 30), (&[0xfd; 16], 128)], &[&[10, 0, 0, 1], &[0xfd; 16]]);
        assert!(Plan::of(&good).is_ok());
        let many = [(&[10u8, 0, 0, 2][..], 30); 17];
        for wrong in [
            network(&[(&[10, 0, 0], 8)], &[]),
            network(&[(&[10, 0, 0, 2], 33)], &[]),
            network(&[(&[0; 16], 129)], &[]),
            network(&[], &[&[1; 5]]),
            network(&[], &[&[10, 0, 0, 1], &[10, 0, 0, 2]]),
            network(&[], &[&[1; 16], &[2; 16]]),
            network(&many, &[]),
        ] {
            assert!(Plan::of(&wrong).is_err(), "{wrong:?}");
        }
    }
}
