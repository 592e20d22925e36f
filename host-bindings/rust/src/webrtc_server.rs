//! WebRTC servers: ports that many transports share.

use std::sync::Arc;

use tidegate_protocol::ids::WebRtcServerId;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::webrtc::{WebRtcCommand, WebRtcServerDump};

use crate::entity::{Children, CloseReason, Entity, EntityEvent, on_creation_failed};
use crate::error::RequestError;
use crate::events::{Event, Events};
use crate::transport::TransportInner;
use crate::webrtc::{WebRtcServerOptions, listen_infos};
use crate::worker::WorkerInner;

/// Ports that all WebRTC transports of a worker can share. A handle; clones mean the same server, which closes when the
/// last one is dropped, those of the transports on it included.
#[derive(Clone, Debug)]
pub struct WebRtcServer {
    inner: Arc<WebRtcServerInner>,
}

/// What happens to a WebRTC server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebRtcServerEvent {
    /// It is closed, and the transports on it. The last event.
    Closed(CloseReason),
}

impl WebRtcServer {
    pub(crate) async fn create(
        worker: &Arc<WorkerInner>,
        options: WebRtcServerOptions,
    ) -> Result<Self, RequestError> {
        let listen_infos = listen_infos(&options.listen_infos)?;
        let inner = Arc::new(WebRtcServerInner {
            entity: Entity::new("WebRTC server", &worker.connection),
            transports: Children::default(),
            worker: Arc::clone(worker),
        });
        worker.webrtc_servers.insert(inner.entity.number, &inner);
        let create = WebRtcCommand::CreateServer { server: inner.wire_id(), listen_infos };
        let created = inner.entity.command(Command::WebRtc(create), || ()).await;
        created.inspect_err(|error| on_creation_failed(error, |reason| inner.shut(reason)))?;
        Ok(Self { inner })
    }

    /// Its id, random.
    pub fn id(&self) -> &str {
        &self.inner.entity.id
    }

    /// Its number in dumps.
    pub fn wire_id(&self) -> WebRtcServerId {
        self.inner.wire_id()
    }

    /// Its sockets, transports and username fragments.
    pub async fn dump(&self) -> Result<WebRtcServerDump, RequestError> {
        let read = |reply| if let Reply::WebRtcServerDump(dump) = reply { Some(*dump) } else { None };
        let dump = WebRtcCommand::DumpServer { server: self.wire_id() };
        self.inner.entity.request(Command::WebRtc(dump), read).await
    }

    /// Closes it and the transports on it. Effective at once; the worker follows.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.inner.entity.is_closed()
    }

    /// A stream of what happens to it.
    pub fn events(&self) -> Events<WebRtcServerEvent> {
        self.inner.entity.events()
    }

    pub(crate) fn inner(&self) -> &Arc<WebRtcServerInner> {
        &self.inner
    }
}

impl Event for WebRtcServerEvent {}

impl EntityEvent for WebRtcServerEvent {
    fn closed(reason: CloseReason) -> Self {
        Self::Closed(reason)
    }
}

/// The server itself. Its transports keep it alive.
#[derive(Debug)]
pub(crate) struct WebRtcServerInner {
    pub(crate) entity: Entity<WebRtcServerEvent>,
    pub(crate) transports: Children<TransportInner>,
    pub(crate) worker: Arc<WorkerInner>,
}

impl WebRtcServerInner {
    fn wire_id(&self) -> WebRtcServerId {
        WebRtcServerId(self.entity.number)
    }

    /// Closes it on this side only: the worker knows, or will not hear any more. False when it was closed already.
    pub(crate) fn shut(&self, reason: CloseReason) -> bool {
        if !self.entity.shut(reason) {
            return false;
        }
        self.worker.webrtc_servers.remove(self.entity.number);
        for transport in self.transports.take() {
            transport.shut(CloseReason::ListenServerClosed);
        }
        true
    }

    fn close(&self) {
        if self.shut(CloseReason::Requested) {
            let close = WebRtcCommand::CloseServer { server: self.wire_id() };
            self.entity.connection.send(Command::WebRtc(close));
        }
    }
}

impl Drop for WebRtcServerInner {
    fn drop(&mut self) {
        self.close();
    }
}
