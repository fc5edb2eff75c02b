//! Calls that may block: each on a thread of its own, which takes over the rights of the caller's user.
//!
//! A thread that is done waits a moment for another call of the same user, because in gVisor a new one costs a millisecond; then it ends.
//!
//! On Linux ids belong to threads. libc hides that by changing all threads of a process; rustix's `set_thread_*` are the bare system
//! calls, so only the call's own thread loses root, and it never gets it back.

use crate::adopt::Identity;
use crate::failure::{Failure, fail};
use crate::files::Caller;
use crate::link::{Gone, Stream};
use crate::proto::failed::Code;
use crate::proto::{reply, request};
use crate::users::{Accounts, User};
use crate::{files, metrics, watch, write};
use rustix::process::{Gid, Uid};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most calls under way.
const MOST: usize = 256;
/// Bytes of a thread's stack; touched only as far as used. Calls keep their buffers on the heap and do not recurse.
const STACK: usize = 128 * 1024;

/// Most threads that wait for another call, and how long they do.
const MOST_IDLE: usize = 4;
const LINGER: Duration = Duration::from_secs(2);

/// Why a call ended before its time.
pub enum Stop {
    /// The host lost interest.
    Gone,
    /// To be told.
    Failed(Failure),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Stop::Gone
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(failure)
    }
}

/// A call, and all that its thread needs to know.
struct Job {
    stream: Stream,
    request: request::Of,
    /// Where relative paths begin, and whose what is made becomes.
    user: User,
    /// Whose rights the call has.
    rights: User,
    accounts: Arc<Accounts>,
}

/// A thread that waits for another call of the same user, whose rights it has.
struct Idle {
    rights: User,
    job: Mutex<Option<Job>>,
    given: Condvar,
}

/// The threads.
#[derive(Default)]
pub struct Calls {
    pool: Arc<Pool>,
}

#[derive(Default)]
struct Pool {
    running: AtomicUsize,
    idle: Mutex<Vec<Arc<Idle>>>,
}

/// One more thread, for as long as it lives.
struct Ticket(Arc<Pool>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic aborts the agent, so nobody can leave anything half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Calls {
    /// Answers `request` on a thread, in the name of the identity's user where the request names none.
    pub fn start(&self, stream: &Stream, request: request::Of, identity: &mut Identity) -> Result<(), Failure> {
        let accounts = identity.register.accounts();
        let (user, as_root) = match named_user(&request) {
            // The agent's own business.
            None => (accounts.find("root")?, false),
            Some(("", as_root)) => (accounts.find(&identity.user)?, as_root),
            Some((name, as_root)) => (accounts.find(name)?, as_root),
        };
        let rights = if as_root { root() } else { user.clone() };
        let job = Job { stream: stream.clone(), request, user, rights, accounts };
        let mut idle = lock(&self.pool.idle);
        if let Some(at) = idle.iter().position(|thread| thread.rights == job.rights) {
            let thread = idle.swap_remove(at);
            *lock(&thread.job) = Some(job);
            thread.given.notify_one();
            return Ok(());
        }
        drop(idle);
        self.start_thread(job)
    }

    fn start_thread(&self, job: Job) -> Result<(), Failure> {
        let before = self.pool.running.fetch_add(1, Ordering::Relaxed);
        let ticket = Ticket(Arc::clone(&self.pool));
        let too_many = || fail(Code::TooMany, format!("{before} file calls are under way; try again when some are done"));
        if before >= MOST {
            return Err(too_many());
        }
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || work(&ticket.0, job));
        thread.map(drop).map_err(|_| too_many())
    }
}

/// A thread's life: its first call, and others of the same user that come soon.
fn work(pool: &Pool, job: Job) {
    let rights = job.rights.clone();
    if let Err(failure) = become_user(&rights) {
        return finish(&job.stream, Err(failure.into()));
    }
    let mut next = Some(job);
    while let Some(job) = next {
        finish(&job.stream, run(&job));
        next = another(pool, &rights);
    }
}

fn another(pool: &Pool, rights: &User) -> Option<Job> {
    let me = Arc::new(Idle { rights: rights.clone(), job: Mutex::new(None), given: Condvar::new() });
    let mut idle = lock(&pool.idle);
    if idle.len() >= MOST_IDLE {
        return None;
    }
    idle.push(Arc::clone(&me));
    drop(idle);
    let (mut job, _) = me.given.wait_timeout_while(lock(&me.job), LINGER, |job| job.is_none()).unwrap_or_else(PoisonError::into_inner);
    if job.is_some() {
        return job.take();
    }
    drop(job);
    // A call may be given at this very moment: who is no longer in the list has one.
    lock(&pool.idle).retain(|thread| !Arc::ptr_eq(thread, &me));
    lock(&me.job).take()
}

fn finish(stream: &Stream, result: Result<(), Stop>) {
    let told = match result {
        Ok(()) => Ok(()),
        Err(Stop::Failed(failure)) => stream.say(failure.reply()),
        Err(Stop::Gone) => Err(Gone),
    };
    match told {
        Ok(()) => stream.close(),
        Err(Gone) => stream.reset("given up"),
    }
}

fn run(job: &Job) -> Result<(), Stop> {
    use request::Of;
    let gives_away = job.rights.uid == 0 && job.user.uid != 0;
    let caller = Caller { stream: &job.stream, accounts: &job.accounts, user: &job.user, gives_away };
    match &job.request {
        Of::Read(read) => files::read(&caller, read),
        Of::Write(asked) => write::write(&caller, asked),
        Of::Stat(stat) => files::stat(&caller, stat),
        Of::List(list) => files::list(&caller, list),
        Of::MakeDirectory(make) => files::make_directory(&caller, make),
        Of::Rename(rename) => files::rename(&caller, rename),
        Of::Remove(remove) => files::remove(&caller, remove),
        Of::Watch(asked) => watch::watch(&caller, asked),
        Of::Metrics(_) => Ok(job.stream.say(reply::Of::Metrics(metrics::measure()))?),
        _ => Err(fail(Code::Invalid, "not a call of a thread").into()),
    }
}

/// Who is named, and whether root's rights are asked for.
fn named_user(request: &request::Of) -> Option<(&str, bool)> {
    use request::Of;
    match request {
        Of::Read(call) => Some((&call.user, call.as_root)),
        Of::Write(call) => Some((&call.user, call.as_root)),
        Of::Stat(call) => Some((&call.user, call.as_root)),
        Of::List(call) => Some((&call.user, call.as_root)),
        Of::MakeDirectory(call) => Some((&call.user, call.as_root)),
        Of::Rename(call) => Some((&call.user, call.as_root)),
        Of::Remove(call) => Some((&call.user, call.as_root)),
        Of::Watch(call) => Some((&call.user, call.as_root)),
        _ => None,
    }
}

/// Root whatever the sandbox's passwd says of it.
fn root() -> User {
    User { name: "root".to_owned(), uid: 0, gid: 0, home: b"/root".to_vec(), shell: b"/bin/sh".to_vec(), groups: vec![0] }
}

fn become_user(user: &User) -> Result<(), Failure> {
    use rustix::process::{getegid, geteuid};
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    if geteuid() == uid && (uid.is_root() || getegid() == gid) {
        return Ok(());
    }
    let groups: Vec<Gid> = user.groups.iter().map(|id| Gid::from_raw(*id)).collect();
    set_thread_groups(&groups)
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .map_err(|error| Failure::system(format_args!("become user {:?}", user.name), error))
}
