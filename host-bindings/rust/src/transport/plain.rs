//! Plain transports: RTP over UDP without ICE and DTLS.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use tidegate_protocol::bounded::Text;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::{PlainTuples, Reply};
use tidegate_protocol::transport::{Protocol, TransportTuple};

use crate::entity::on_creation_failed;
use crate::error::RequestError;
use crate::options::{PlainConnectOptions, PlainTransportOptions};
use crate::router::RouterInner;
use crate::srtp::SrtpParameters;
use crate::sync::lock;
use crate::transport::{Kind, Transport, TransportInner};

/// RTP over UDP without ICE and DTLS: ffmpeg, GStreamer, cameras, other servers. A handle; clones mean the same
/// transport, which closes when the last one is dropped, those of its producers and consumers included.
#[derive(Clone, Debug)]
pub struct PlainTransport {
    transport: Transport,
    tuples: Arc<Mutex<PlainTuples>>,
}

impl PlainTransport {
    pub(crate) async fn create(
        router: &Arc<RouterInner>,
        options: PlainTransportOptions,
    ) -> Result<Self, RequestError> {
        router.entity.ensure_open()?;
        let tuple = TransportTuple {
            local_address: Text::clipped(&options.listen_info.ip.to_string()),
            local_port: 0,
            remote_ip: None,
            remote_port: None,
            protocol: Protocol::Udp,
        };
        let options = (&options).try_into()?;
        let tuples = PlainTuples { tuple, rtcp_tuple: None, srtp_parameters: None };
        let tuples = Arc::new(Mutex::new(tuples));
        let inner = TransportInner::new(router, Kind::Plain(Arc::clone(&tuples)));
        let command =
            Command::CreatePlainTransport { router: router.wire_id(), transport: inner.wire_id(), options };
        let created = inner.entity.request(command, take(&tuples)).await;
        created.inspect_err(|error| on_creation_failed(error, |reason| inner.shut(reason)))?;
        Ok(Self { transport: Transport { inner }, tuples })
    }

    /// Where it receives RTP (and RTCP, with rtcp-mux) and, once known, its peer.
    pub fn tuple(&self) -> TransportTuple {
        lock(&self.tuples).tuple.clone()
    }

    /// Where it receives RTCP and, once known, its peer. `None` with rtcp-mux.
    pub fn rtcp_tuple(&self) -> Option<TransportTuple> {
        lock(&self.tuples).rtcp_tuple.clone()
    }

    /// What it sends under, for the peer. `None` without SRTP. Final once it is connected: a peer that chose another suite
    /// than [`PlainTransportOptions::srtp_crypto_suite`] gets a new key.
    pub fn srtp_parameters(&self) -> Option<SrtpParameters> {
        lock(&self.tuples).srtp_parameters.as_ref().map(Into::into)
    }

    /// Says where it sends to and, with SRTP, what the peer sends under. Once only.
    pub async fn connect(&self, options: PlainConnectOptions) -> Result<(), RequestError> {
        let options = (&options).try_into()?;
        let command = Command::ConnectPlainTransport { transport: self.wire_id(), options };
        self.transport.inner.entity.request(command, take(&self.tuples)).await
    }
}

impl Deref for PlainTransport {
    type Target = Transport;

    fn deref(&self) -> &Transport {
        &self.transport
    }
}

/// Takes the ends from an answer.
fn take(tuples: &Arc<Mutex<PlainTuples>>) -> impl FnOnce(Reply) -> Option<()> + Send + use<> {
    let tuples = Arc::clone(tuples);
    move |reply| {
        let Reply::PlainTransport(new) = reply else { return None };
        *lock(&tuples) = new;
        Some(())
    }
}
