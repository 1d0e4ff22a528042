//! Listeners on the open ports of pods.
//!
//! A pod has a listener for each open port and each of its addresses, which is there exactly while
//! the port is open. One listener of a port number for all pods would take fewer descriptors, but
//! the kernel would then complete the connections to every pod: a probe of TCP, which succeeds once
//! it is connected, would succeed for a container that is not ready, and no client would ever be
//! refused.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use connection_limit::Waiting;
use containerd_sandbox::Key;
use futures::StreamExt;
use ipnet::IpNet;
use parking_lot::Mutex;
use rustix::process::{Resource, getrlimit};
use tokio::runtime::Builder;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio_util::time::{DelayQueue, delay_queue};
use tracing::{debug, warn};

use super::accept::{accept, listen};
use super::addresses;
use super::answers::Answers;
use super::local::is_local;

/// Largest number of listeners; each takes a descriptor, about 4 KiB of the kernel's memory and
/// 3 KiB of the process's.
const MAX_LISTENERS: usize = 1 << 16;
/// Largest number of connections in total and to one address; a further one takes the place of the
/// oldest.
const MAX_CONNECTIONS: usize = 1024;
const MAX_CONNECTIONS_PER_ADDRESS: usize = 128;
/// Time after which a port that could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// Longest time until a pod is looked at again; a [`DelayQueue`] holds about two years.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Listeners on the open ports of all pods. They run on a thread of their own, which shares the
/// processor fairly with the threads of the APIs, until this is dropped.
#[derive(Debug)]
pub struct Listeners {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Error of the start of the listeners: the system had no thread or descriptor left.
#[derive(Debug, thiserror::Error)]
#[error("start to answer probes")]
pub struct StartError(#[from] io::Error);

/// Sandboxes whose ports may have changed.
#[derive(Default)]
struct Changed {
    keys: Mutex<HashSet<Key>>,
    come: Notify,
}

impl Changed {
    fn add(&self, key: &Key) {
        self.keys.lock().insert(key.clone());
        self.come.notify_one();
    }

    fn take(&self) -> HashSet<Key> {
        std::mem::take(&mut *self.keys.lock())
    }
}

impl Listeners {
    /// Starts to listen on the ports of all pods, present and future. `pods` are the ranges of
    /// the addresses of pods.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(answers: Answers, pods: &[IpNet]) -> Result<Self, StartError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let changed = Arc::new(Changed::default());
        let watched = Arc::clone(&changed);
        let sandboxer = answers.sandboxer();
        sandboxer.watch_ports(Box::new(move |key| watched.add(key)));
        sandboxer.each_slot(|key, _| changed.add(key));
        let (stop, stopped) = oneshot::channel();
        let pods = pods.to_vec();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = Manager::new(answers, pods).run(&changed) => {}
                    // Nobody sends: the channel closes at the end.
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("probes".to_owned());
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread.spawn(serve)?),
        })
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of this thread concerns the answers only.
            let _ = thread.join();
        }
    }
}

/// Opens and closes listeners.
struct Manager {
    answers: Answers,
    pods: Vec<IpNet>,
    /// The address that stands for all addresses of the host, if these are answered.
    of_host: Option<IpAddr>,
    open: HashMap<Key, OfPod>,
    count: usize,
    limit: usize,
    waiting: Waiting,
    timers: DelayQueue<Key>,
    /// Ports, and the limit of listeners as port 0, about which the log has a warning.
    told: HashSet<u16>,
}

/// Listeners of one pod.
#[derive(Default)]
struct OfPod {
    listeners: HashMap<SocketAddr, Listening>,
    timer: Option<delay_queue::Key>,
}

/// A listener, which ends with its connections when this is dropped.
struct Listening(AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Addresses that a pod listens on, with the port of the pod behind each, and the time until they change by themselves.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    addresses: HashMap<SocketAddr, u16>,
    change_in: Option<Duration>,
}

impl Manager {
    fn new(answers: Answers, pods: Vec<IpNet>) -> Self {
        // Half of the descriptors stay for the APIs.
        let descriptors = getrlimit(Resource::Nofile).current;
        let half = descriptors.map_or(MAX_LISTENERS as u64, |number| number / 2);
        let of_host = answers.options().host.then(any_address);
        Self {
            answers,
            pods,
            of_host,
            open: HashMap::new(),
            count: 0,
            limit: usize::try_from(half)
                .unwrap_or(MAX_LISTENERS)
                .min(MAX_LISTENERS),
            waiting: Waiting::new(MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS),
            timers: DelayQueue::new(),
            told: HashSet::new(),
        }
    }

    async fn run(mut self, changed: &Changed) {
        loop {
            tokio::select! {
                () = changed.come.notified() => {}
                Some(due) = self.timers.next(), if !self.timers.is_empty() => {
                    let key = due.into_inner();
                    if let Some(pod) = self.open.get_mut(&key) {
                        pod.timer = None;
                    }
                    changed.add(&key);
                }
            }
            for key in changed.take() {
                self.update(key);
                tokio::task::yield_now().await;
            }
        }
    }

    /// Makes the listeners of a pod those that it wants.
    fn update(&mut self, key: Key) {
        let wanted = self.answers.open_ports(&key, |slot, open| Wanted {
            addresses: addresses::of_pod(slot, &open.ports, self.of_host),
            change_in: open.change_in,
        });
        let wanted = wanted.unwrap_or_default();
        let mut pod = self.open.remove(&key).unwrap_or_default();
        if let Some(timer) = pod.timer.take() {
            self.timers.try_remove(&timer);
        }
        let before = pod.listeners.len();
        pod.listeners
            .retain(|address, _| wanted.addresses.contains_key(address));
        self.count -= before - pod.listeners.len();
        let mut look_again = wanted.change_in;
        for (address, port) in wanted.addresses {
            if pod.listeners.contains_key(&address) {
                continue;
            }
            match self.listen(&key, address, port) {
                Some(listening) => {
                    self.count += 1;
                    pod.listeners.insert(address, listening);
                }
                None => look_again = Some(look_again.map_or(RETRY, |time| time.min(RETRY))),
            }
        }
        if let Some(time) = look_again {
            pod.timer = Some(self.timers.insert(key.clone(), time.min(LONGEST)));
        }
        if !pod.listeners.is_empty() || pod.timer.is_some() {
            self.open.insert(key, pod);
        }
    }

    /// Starts a listener; `None` if that is not possible, which the log tells once for each port.
    fn listen(&mut self, key: &Key, address: SocketAddr, port: u16) -> Option<Listening> {
        if self.count >= self.limit {
            if self.told.insert(0) {
                warn!(
                    "further ports of pods are not answered: {} are open, as many as the limit of \
                     files (half of it) and of listeners ({MAX_LISTENERS}) allow",
                    self.count
                );
            }
            return None;
        }
        let listener = match listen(address, self.of_host.is_some()) {
            Ok(listener) => listener,
            Err(error) => {
                if self.told.insert(address.port()) {
                    warn!(
                        "probes of {address} are not answered: {error}{}",
                        hint(&error)
                    );
                } else {
                    debug!("probes of {address} are not answered: {error}");
                }
                return None;
            }
        };
        let port = self.answers.port(key, port);
        let accepting = accept(listener, port, self.waiting.clone(), self.pods.clone());
        Some(Listening(tokio::spawn(accepting).abort_handle()))
    }
}

/// Returns what a user can do about an error of a listener.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            ": a program on this machine listens on the port on all addresses, or another \
             sandboxer on this one; end it, let it listen on its own address alone, or change the \
             pod's port (it is tried again every 10 s)"
        }
        io::ErrorKind::PermissionDenied => {
            ": a port below 1024 needs the capability CAP_NET_BIND_SERVICE, or a lower sysctl \
             net.ipv4.ip_unprivileged_port_start"
        }
        _ => "",
    }
}

/// Returns the address that stands for all addresses of the host, of both families if it has both.
fn any_address() -> IpAddr {
    if is_local(Ipv6Addr::LOCALHOST.into()) {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    }
}
