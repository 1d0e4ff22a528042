//! Replays a recording against a sandboxer.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cri_api::v1;
use prost::Message;
use tonic::Status;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};

use super::codec::Raw;
use super::events::{self, Events};
use super::expect::{Comparison, exited};
use super::ids::{Facts, Ids, is_change};
use super::{CANCELLED, Call, Entry, LONGEST_MESSAGE};
use crate::{Daemon, PATIENCE};

/// Time between two looks at a state that is to come.
const PAUSE: Duration = Duration::from_millis(20);

/// Calls of a recording, by the number of those that were replayed.
pub type Counts = HashMap<String, usize>;

/// Replays the recording in `file` against a new sandboxer, one call after the other in the order
/// of their ends, and restarts the sandboxer where the recorded one was restarted. A reply that
/// tells a state is waited for until `patience` has passed, because containers end by themselves
/// in their own time. Returns the number of calls of each method.
///
/// # Errors
/// The first call whose reply would not do for the client, and why.
///
/// # Panics
/// If the sandboxer does not start.
pub async fn replay(file: &Path, patience: Duration) -> Result<Counts, String> {
    let entries = File::open(file).and_then(|opened| super::read(BufReader::new(opened)));
    let entries = entries.map_err(|e| format!("{}: {e}", file.display()))?;
    let daemon = Daemon::start(&[]);
    let mut replay = Replay {
        channel: connect(&daemon)?,
        logs: daemon.home().root().join("logs"),
        facts: Facts::gather(&entries, exited),
        ids: Ids::default(),
        recorded: HashMap::new(),
        streams: HashMap::new(),
        patience,
    };
    let (mut daemon, mut connected, mut counts) = (daemon, false, Counts::new());
    for (index, entry) in entries.iter().enumerate() {
        match entry {
            Entry::RuntimeConnected if connected => {
                daemon = daemon.kill9().start();
                replay.channel = connect(&daemon)?;
            }
            Entry::RuntimeConnected => connected = true,
            Entry::Call(call) if call.code == CANCELLED && call.method != events::METHOD => {}
            Entry::Call(call) => {
                replay.open_streams(&entries[index..], call.at_ms).await?;
                let outcome = replay.call(call).await;
                let place = || {
                    format!(
                        "{}: entry {index}, {} after {} ms",
                        file.display(),
                        call.method,
                        call.at_ms
                    )
                };
                outcome.map_err(|why| format!("{}: {why}", place()))?;
                *counts.entry(call.method.clone()).or_default() += 1;
            }
        }
    }
    Ok(counts)
}

fn connect(daemon: &Daemon) -> Result<Channel, String> {
    let address = format!("unix://{}", daemon.home().socket().display());
    let endpoint = Endpoint::from_shared(address).map_err(|e| e.to_string())?;
    Ok(endpoint.connect_lazy())
}

struct Replay {
    channel: Channel,
    /// Directory that takes the place of the root in the paths of logs.
    logs: PathBuf,
    facts: Facts,
    ids: Ids,
    /// The recorded id of each id of the replay.
    recorded: HashMap<String, String>,
    /// Streams of events, by the time of their start in the recording in milliseconds.
    streams: HashMap<u64, Events>,
    patience: Duration,
}

impl Replay {
    /// Opens the streams that were open at this time and end later.
    async fn open_streams(&mut self, later: &[Entry], now_ms: u64) -> Result<(), String> {
        for entry in later {
            let Entry::Call(call) = entry else { continue };
            let open = call.method == events::METHOD && call.at_ms <= now_ms;
            if open && !self.streams.contains_key(&call.at_ms) {
                let stream = Events::open(self.channel.clone(), call.request.clone()).await?;
                self.streams.insert(call.at_ms, stream);
            }
        }
        Ok(())
    }

    async fn call(&mut self, call: &Call) -> Result<(), String> {
        let request = self.relocated(&call.method, self.ids.exchange(&call.request))?;
        let deadline = Instant::now() + self.patience;
        loop {
            let verdict = match self.streams.get(&call.at_ms) {
                Some(stream) if call.method == events::METHOD => {
                    let wanted = call.replies.iter().map(|event| self.ids.exchange(event));
                    stream.verdict(&wanted.collect::<Vec<_>>())
                }
                _ => {
                    let outcome = self.send(&call.method, request.clone()).await;
                    self.verdict(call, outcome)
                }
            };
            let later = !is_change(&call.method) && Instant::now() < deadline;
            if verdict.is_ok() || !later {
                return verdict;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn send(&self, method: &str, request: Vec<u8>) -> Result<Vec<u8>, Status> {
        let service = if method.contains("Image") {
            "ImageService"
        } else {
            "RuntimeService"
        };
        let path = PathAndQuery::try_from(format!("/runtime.v1.{service}/{method}"));
        let path = path.map_err(|e| Status::internal(e.to_string()))?;
        let mut client = tonic::client::Grpc::new(self.channel.clone())
            .max_decoding_message_size(LONGEST_MESSAGE);
        let ready = client.ready().await;
        ready.map_err(|e| Status::unavailable(e.to_string()))?;
        let mut request = tonic::Request::new(request);
        request.set_timeout(PATIENCE);
        let reply = client.unary(request, path, Raw).await?;
        Ok(reply.into_inner())
    }

    fn verdict(&mut self, call: &Call, outcome: Result<Vec<u8>, Status>) -> Result<(), String> {
        let got = match outcome {
            Ok(_) if call.code != 0 => {
                return Err(format!(
                    "it failed with {} ({}) and succeeds",
                    call.code, call.message
                ));
            }
            Ok(reply) => reply,
            Err(status) if i32::from(status.code()) == call.code => return Ok(()),
            Err(status) => return Err(status.to_string()),
        };
        let wanted = call.replies.first().map_or(&[][..], Vec::as_slice);
        match &*call.method {
            "RunPodSandbox" => {
                let id = |bytes| {
                    v1::RunPodSandboxResponse::decode(bytes).map(|reply| reply.pod_sandbox_id)
                };
                self.learn(id(wanted), id(&got))
            }
            "CreateContainer" => {
                let id = |bytes| {
                    v1::CreateContainerResponse::decode(bytes).map(|reply| reply.container_id)
                };
                self.learn(id(wanted), id(&got))
            }
            _ => Comparison {
                call,
                facts: &self.facts,
                recorded: &self.recorded,
                wanted: &self.ids.exchange(wanted),
                got: &got,
            }
            .verdict(),
        }
    }

    fn learn(&mut self, recorded: Decoded, live: Decoded) -> Result<(), String> {
        let [recorded, live] = [recorded, live].map(|id| id.map_err(|e| e.to_string()));
        let (recorded, live) = (recorded?, live?);
        self.ids.learn(&recorded, &live)?;
        self.recorded.insert(live, recorded);
        Ok(())
    }

    /// Moves the logs of a request below the directory of the replay.
    fn relocated(&self, method: &str, request: Vec<u8>) -> Result<Vec<u8>, String> {
        let error = |e: prost::DecodeError| e.to_string();
        match method {
            "RunPodSandbox" => {
                let mut request = v1::RunPodSandboxRequest::decode(&*request).map_err(error)?;
                self.relocate(request.config.as_mut());
                Ok(request.encode_to_vec())
            }
            "CreateContainer" => {
                let mut request = v1::CreateContainerRequest::decode(&*request).map_err(error)?;
                self.relocate(request.sandbox_config.as_mut());
                Ok(request.encode_to_vec())
            }
            _ => Ok(request),
        }
    }

    fn relocate(&self, config: Option<&mut v1::PodSandboxConfig>) {
        if let Some(config) = config.filter(|config| !config.log_directory.is_empty()) {
            let below = config.log_directory.trim_start_matches('/');
            config.log_directory = self.logs.join(below).display().to_string();
        }
    }
}

type Decoded = Result<String, prost::DecodeError>;
