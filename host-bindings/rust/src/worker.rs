//! A worker process and what concerns it as a whole.

use std::sync::{Arc, Weak};

use tidegate_protocol::dump::WorkerDump;
use tidegate_protocol::message::{Hello, LogLevel, LogTag};
use tidegate_protocol::metrics::Metrics;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::stats::ResourceUsage;

use crate::connection::{Connection, Fate};
use crate::entity::{Children, CloseReason};
use crate::error::{RequestError, SpawnError, WorkerExit, list};
use crate::events::{Event, Events};
use crate::launch::launch;
use crate::output::OutputStream;
use crate::process::{Launched, Process};
use crate::random::random_id;
use crate::router::{Router, RouterInner, RouterOptions};
use crate::settings::WorkerSettings;
use crate::webrtc::WebRtcServerOptions;
use crate::webrtc_server::{WebRtcServer, WebRtcServerInner};

/// A worker process: one thread, which one core can feed. A handle; clones mean the same worker.
///
/// Dropping the last handle, those of everything in the worker included, closes it: the pipe is closed, the worker
/// leaves by itself, and is killed should it be there two seconds later.
#[derive(Clone, Debug)]
pub struct Worker {
    inner: Arc<WorkerInner>,
}

/// What concerns a worker as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// A line of the worker's log, up to [`WorkerSettings::log_level`]. Of each place in its code the worker sends ten
    /// lines a second, and then how many it left out; none while much waits for this host. This library writes no log
    /// of its own: give the lines to the one that the application has.
    Log {
        /// How grave.
        level: LogLevel,
        /// Of what part.
        tag: LogTag,
        /// The line.
        text: String,
    },
    /// A line that the worker printed: the reason why it does not start, or a library's word.
    Output {
        /// Where.
        stream: OutputStream,
        /// The line, 1,024 bytes at most.
        text: String,
    },
    /// Packets are dropped because [`WorkerSettings::packet_memory_limit`] is reached; at most one a second.
    MemoryLimit {
        /// The setting, in bytes.
        limit_bytes: u64,
        /// Packets dropped for it since the worker started.
        dropped: u64,
    },
    /// The worker ended without being closed by this host. Everything in it is closed.
    Died(WorkerExit),
}

/// What [`Worker::update_settings`] can change; a field that is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateSettings {
    /// Up to which level log lines are sent.
    pub log_level: Option<LogLevel>,
    /// Of which parts debug lines are sent. Errors and warnings need no tag.
    pub log_tags: Option<Vec<LogTag>>,
}

impl Worker {
    /// Starts a worker and waits for its greeting. Must run within a tokio runtime with I/O and time enabled; that
    /// runtime carries the worker's pipe, and shutting it down ends the worker.
    pub async fn spawn(settings: WorkerSettings) -> Result<Self, SpawnError> {
        let launched = launch(&settings)?;
        Self::attach(launched, &settings).await
    }

    /// Greets a started process and carries its pipe from then on.
    pub(crate) async fn attach<P: Process>(
        launched: Launched<P>,
        settings: &WorkerSettings,
    ) -> Result<Self, SpawnError> {
        let greeted = launched.greet(settings.start_timeout).await?;
        let (connection, frames) = Connection::new(settings.request_timeout);
        let inner = Arc::new(WorkerInner {
            id: random_id(),
            hello: greeted.hello.clone(),
            connection: Arc::clone(&connection),
            routers: Children::default(),
            webrtc_servers: Children::default(),
        });
        let worker: Weak<WorkerInner> = Arc::downgrade(&inner);
        greeted.run(connection, frames, move || {
            if let Some(worker) = worker.upgrade() {
                worker.shut_children();
            }
        });
        Ok(Self { inner })
    }

    /// Its id, random.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// Its process id, as itself tells.
    pub fn pid(&self) -> u32 {
        self.inner.hello.pid
    }

    /// Its package version.
    pub fn version(&self) -> &str {
        &self.inner.hello.worker_version
    }

    /// Names of what was built into it.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.inner.hello.features.iter().map(|feature| feature.as_str())
    }

    /// Makes a router: what one room is to an application.
    pub async fn create_router(&self, options: RouterOptions) -> Result<Router, RequestError> {
        Router::create(&self.inner, options).await
    }

    /// Opens ports that all WebRTC transports of this worker can share.
    ///
    /// # Errors
    /// [`RequestError::Refused`] without a place to listen, or when one of them is taken; then none is opened.
    pub async fn create_webrtc_server(
        &self,
        options: WebRtcServerOptions,
    ) -> Result<WebRtcServer, RequestError> {
        WebRtcServer::create(&self.inner, options).await
    }

    /// What the worker holds.
    pub async fn dump(&self) -> Result<WorkerDump, RequestError> {
        let read = |reply| if let Reply::WorkerDump(dump) = reply { Some(dump) } else { None };
        self.inner.connection.request(Command::DumpWorker, read).await
    }

    /// What its process has used so far.
    pub async fn get_resource_usage(&self) -> Result<ResourceUsage, RequestError> {
        let read = |reply| if let Reply::ResourceUsage(usage) = reply { Some(usage) } else { None };
        self.inner.connection.request(Command::GetResourceUsage, read).await
    }

    /// All its counters and histograms.
    pub async fn get_metrics(&self) -> Result<Metrics, RequestError> {
        let read = |reply| if let Reply::Metrics(metrics) = reply { Some(metrics) } else { None };
        self.inner.connection.request(Command::GetMetrics, read).await
    }

    /// Changes settings of the running worker.
    pub async fn update_settings(&self, settings: UpdateSettings) -> Result<(), RequestError> {
        let log_tags = settings.log_tags.map(|tags| list("log_tags", &tags, |tag| Ok(*tag))).transpose()?;
        let command = Command::UpdateSettings { log_level: settings.log_level, log_tags };
        let done = |reply| matches!(reply, Reply::Done).then_some(());
        self.inner.connection.request(command, done).await
    }

    /// Closes the worker and everything in it. Returns at once; [`closed`](Self::closed) waits for the process.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Whether it was closed or died.
    pub fn is_closed(&self) -> bool {
        !matches!(&*self.inner.connection.fate().borrow(), Fate::Running)
    }

    /// Waits until the process is gone, for whatever reason, and tells how it ended. Keeps no handle: the worker
    /// closes when the last handle is dropped in the meantime.
    pub fn closed(&self) -> impl Future<Output = WorkerExit> + Send + use<> {
        let mut fate = self.inner.connection.fate();
        async move {
            match fate.wait_for(|fate| matches!(fate, Fate::Ended { .. })).await.as_deref() {
                Ok(Fate::Ended { exit, .. }) => exit.clone(),
                Ok(Fate::Running | Fate::Closing) | Err(_) => WorkerExit::unknown(),
            }
        }
    }

    /// Waits until the process is gone. Tells how it ended if it died, that is, without being closed by this host;
    /// `None` if it was closed.
    pub fn died(&self) -> impl Future<Output = Option<WorkerExit>> + Send + use<> {
        let mut fate = self.inner.connection.fate();
        async move {
            match fate.wait_for(|fate| matches!(fate, Fate::Ended { .. })).await.as_deref() {
                Ok(Fate::Ended { exit, asked: false }) => Some(exit.clone()),
                Ok(_) => None,
                Err(_) => Some(WorkerExit::unknown()),
            }
        }
    }

    /// A stream of what concerns the worker as a whole. It ends when the process is gone.
    pub fn events(&self) -> Events<WorkerEvent> {
        self.inner.connection.events.listen()
    }
}

impl Event for WorkerEvent {
    fn replaces(&self, waiting: &Self) -> bool {
        matches!((self, waiting), (Self::MemoryLimit { .. }, Self::MemoryLimit { .. }))
    }
}

/// The worker itself. Its routers keep it alive.
#[derive(Debug)]
pub(crate) struct WorkerInner {
    id: String,
    hello: Hello,
    pub(crate) connection: Arc<Connection>,
    pub(crate) routers: Children<RouterInner>,
    pub(crate) webrtc_servers: Children<WebRtcServerInner>,
}

impl WorkerInner {
    fn close(&self) {
        self.connection.close();
        self.shut_children();
    }

    fn shut_children(&self) {
        for router in self.routers.take() {
            router.shut(CloseReason::WorkerClosed);
        }
        for server in self.webrtc_servers.take() {
            server.shut(CloseReason::WorkerClosed);
        }
    }
}

impl Drop for WorkerInner {
    fn drop(&mut self) {
        self.close();
    }
}
