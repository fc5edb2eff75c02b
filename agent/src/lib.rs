//! The agent of a Caisson sandbox: PID 1, static, small. It dials home (`way`) and does what it is asked: starts commands, moves files,
//! watches directories, connects to ports. `docs/link.md` is the wire, `agent.proto` the words.
//!
//! One thread waits for everything (`agent`): the link, the commands' pipes, ended children, connections to ports. Nothing in
//! it blocks. File calls may block, and run with the rights of a user, so each has a thread of its own (`calls`).
//!
//! | module | what it is |
//! |---|---|
//! | `frame` | the bytes of one frame, exactly |
//! | `link` | one connection: streams, credit, what waits to be sent; shared by all threads |
//! | `agent` | the loop; `poll`, `turns`, `intake`, `home`, `way` are its parts |
//! | `commands`, `spawn`, `child`, `reap`, `starvation` | processes: what is known of them, how one starts, how they end |
//! | `ring`, `output`, `input`, `audience` | bytes from a pipe to the channels of all who listen, and back |
//! | `calls`, `files`, `tree`, `write`, `metadata`, `watch`, `metrics` | calls on threads of their own |
//! | `adopt`, `seeds` | whose a sandbox becomes, and the files that it has from then on |
//! | `identity`, `network`, `netlink` | what the copy of a frozen machine must have for itself |
//! | `guest`, `modules`, `mounts` | the first process of a machine of its own, where that is what we are |
//! | `dial`, `users`, `failure` | one noun each |

pub mod adopt;
pub mod agent;
pub mod audience;
pub mod calls;
pub mod child;
pub mod commands;
pub mod dial;
pub mod failure;
pub mod files;
pub mod frame;
pub mod guest;
pub mod home;
pub mod identity;
pub mod input;
pub mod intake;
pub mod link;
pub mod metadata;
pub mod metrics;
pub mod modules;
pub mod mounts;
pub mod netlink;
pub mod network;
pub mod output;
pub mod poll;
pub mod reap;
pub mod ring;
pub mod seeds;
pub mod spawn;
pub mod starvation;
pub mod tree;
pub mod turns;
pub mod users;
pub mod watch;
pub mod way;
pub mod write;

/// Messages, generated from `agent.proto`.
#[allow(missing_docs, clippy::all, clippy::unwrap_used)]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/caisson.agent.v1.rs"));
}
