//! WebRTC transports: ICE-lite, DTLS and SRTP over UDP or TCP.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use tidegate_protocol::event::Event as WireEvent;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::transport::TransportTuple;
use tidegate_protocol::webrtc::{WebRtcCommand, WebRtcDump};

use crate::entity::on_creation_failed;
use crate::error::{InvalidOption, RequestError};
use crate::router::RouterInner;
use crate::sync::lock;
use crate::transport::{Kind, Transport, TransportEvent, TransportInner};
use crate::webrtc::{
    DtlsParameters, DtlsRole, DtlsState, IceCandidate, IceParameters, IceState, WebRtcTransportListen,
    WebRtcTransportOptions, fingerprints,
};
use crate::webrtc_server::WebRtcServerInner;

/// What a browser connects to: ICE-lite, DTLS and SRTP over UDP or TCP. A handle; clones mean the same transport, which
/// closes when the last one is dropped, those of its producers and consumers included.
#[derive(Clone, Debug)]
pub struct WebRtcTransport {
    transport: Transport,
    state: Arc<WebRtcState>,
}

impl WebRtcTransport {
    pub(crate) async fn create(
        router: &Arc<RouterInner>,
        options: WebRtcTransportOptions,
    ) -> Result<Self, RequestError> {
        router.entity.ensure_open()?;
        let server = match &options.listen {
            WebRtcTransportListen::Server(server) => Some(Arc::clone(server.inner())),
            WebRtcTransportListen::Individual(_) => None,
        };
        if let Some(server) = &server {
            server.entity.ensure_open()?;
            if !Arc::ptr_eq(&server.worker, &router.worker) {
                return Err(InvalidOption::ForeignServer.into());
            }
        }
        let options = (&options).try_into()?;
        let state = Arc::new(WebRtcState { told: Mutex::default(), server });
        let inner = TransportInner::new(router, Kind::WebRtc(Arc::clone(&state)));
        if let Some(server) = &state.server {
            server.transports.insert(inner.entity.number, &inner);
        }
        let (router, transport) = (router.wire_id(), inner.wire_id());
        let create = Command::WebRtc(WebRtcCommand::CreateTransport { router, transport, options });
        let taken = Arc::clone(&state);
        let take = move |reply| {
            let Reply::WebRtcTransport(dump) = reply else { return None };
            lock(&taken.told).take(&dump);
            Some(())
        };
        let created = inner.entity.request(create, take).await;
        created.inspect_err(|error| on_creation_failed(error, |reason| inner.shut(reason)))?;
        Ok(Self { transport: Transport { inner }, state })
    }

    /// `controlled`: the worker answers checks and makes none.
    pub const fn ice_role(&self) -> &'static str {
        "controlled"
    }

    /// What the peer has to name in its checks.
    pub fn ice_parameters(&self) -> IceParameters {
        lock(&self.state.told).ice_parameters.clone()
    }

    /// Where the peer reaches the transport.
    pub fn ice_candidates(&self) -> Vec<IceCandidate> {
        lock(&self.state.told).ice_candidates.clone()
    }

    /// Whether the peer reached it.
    pub fn ice_state(&self) -> IceState {
        if self.is_closed() { IceState::Closed } else { lock(&self.state.told).ice_state }
    }

    /// By which way packets go to the peer.
    pub fn ice_selected_tuple(&self) -> Option<TransportTuple> {
        lock(&self.state.told).ice_selected_tuple.clone()
    }

    /// Its certificate's fingerprints, and its role once connected.
    pub fn dtls_parameters(&self) -> DtlsParameters {
        lock(&self.state.told).dtls_parameters.clone()
    }

    /// How far the handshake is.
    pub fn dtls_state(&self) -> DtlsState {
        if self.is_closed() { DtlsState::Closed } else { lock(&self.state.told).dtls_state }
    }

    /// The peer's certificate as PEM, once connected.
    pub fn dtls_remote_cert(&self) -> Option<String> {
        lock(&self.state.told).dtls_remote_cert.clone()
    }

    /// Says who the peer is: DTLS begins. Once only.
    ///
    /// # Errors
    /// [`RequestError::InvalidOption`] with a fingerprint of an unknown kind; [`RequestError::Refused`] without one, or
    /// the second time.
    pub async fn connect(&self, dtls_parameters: &DtlsParameters) -> Result<(), RequestError> {
        let fingerprints = fingerprints(&dtls_parameters.fingerprints)?;
        let (transport, role) = (self.wire_id(), dtls_parameters.role.into());
        let connect = Command::WebRtc(WebRtcCommand::ConnectTransport { transport, role, fingerprints });
        let state = Arc::clone(&self.state);
        let take = move |reply| {
            let Reply::WebRtcConnected { dtls_local_role } = reply else { return None };
            lock(&state.told).dtls_parameters.role = dtls_local_role.into();
            Some(())
        };
        self.transport.inner.entity.request(connect, take).await
    }

    /// Makes new ICE credentials for the peer to use; the old ones stay good until it does.
    pub async fn restart_ice(&self) -> Result<IceParameters, RequestError> {
        let restart = Command::WebRtc(WebRtcCommand::RestartIce { transport: self.wire_id() });
        let state = Arc::clone(&self.state);
        let take = move |reply| {
            let Reply::IceParameters(parameters) = &reply else { return None };
            let parameters = IceParameters::from(parameters);
            lock(&state.told).ice_parameters = parameters.clone();
            Some(parameters)
        };
        self.transport.inner.entity.request(restart, take).await
    }

    /// Caps what is sent to the peer, in bits per second; 0 ends that. Stored; nothing is estimated yet.
    ///
    /// # Errors
    /// [`RequestError::Refused`] below 30,000 or below the minimum.
    pub async fn set_max_outgoing_bitrate(&self, bitrate: u64) -> Result<(), RequestError> {
        let set = WebRtcCommand::SetMaxOutgoingBitrate { transport: self.wire_id(), bitrate };
        self.transport.inner.entity.command(Command::WebRtc(set), || ()).await
    }

    /// The least that may be sent to the peer, in bits per second; 0 ends that. Stored; nothing is estimated yet.
    ///
    /// # Errors
    /// [`RequestError::Refused`] below 30,000 or above the maximum.
    pub async fn set_min_outgoing_bitrate(&self, bitrate: u64) -> Result<(), RequestError> {
        let set = WebRtcCommand::SetMinOutgoingBitrate { transport: self.wire_id(), bitrate };
        self.transport.inner.entity.command(Command::WebRtc(set), || ()).await
    }
}

impl Deref for WebRtcTransport {
    type Target = Transport;

    fn deref(&self) -> &Transport {
        &self.transport
    }
}

/// What only a WebRTC transport has.
#[derive(Debug)]
pub(crate) struct WebRtcState {
    told: Mutex<Told>,
    /// Whose ports it uses; kept alive with it.
    server: Option<Arc<WebRtcServerInner>>,
}

/// What the worker said last.
#[derive(Debug)]
struct Told {
    ice_parameters: IceParameters,
    ice_candidates: Vec<IceCandidate>,
    ice_state: IceState,
    ice_selected_tuple: Option<TransportTuple>,
    dtls_parameters: DtlsParameters,
    dtls_state: DtlsState,
    dtls_remote_cert: Option<String>,
}

impl WebRtcState {
    /// Takes note; what to tell listeners.
    pub(super) fn on_event(&self, event: WireEvent) -> Option<TransportEvent> {
        let mut told = lock(&self.told);
        match event {
            WireEvent::IceState { state, .. } => {
                told.ice_state = state.into();
                Some(TransportEvent::IceState(told.ice_state))
            }
            WireEvent::IceSelectedTuple { tuple, .. } => {
                told.ice_selected_tuple = Some(tuple.clone());
                Some(TransportEvent::IceSelectedTuple(tuple))
            }
            WireEvent::DtlsState { state, remote_certificate, .. } => {
                told.dtls_state = state.into();
                if let Some(certificate) = remote_certificate {
                    told.dtls_remote_cert = Some(certificate.as_str().to_owned());
                }
                Some(TransportEvent::DtlsState(told.dtls_state))
            }
            _ => None,
        }
    }

    /// The transport with this number is closed.
    pub(super) fn shut(&self, number: u64) {
        if let Some(server) = &self.server {
            server.transports.remove(number);
        }
    }
}

impl Told {
    fn take(&mut self, dump: &WebRtcDump) {
        *self = Self {
            ice_parameters: (&dump.ice_parameters).into(),
            ice_candidates: dump.ice_candidates.iter().map(Into::into).collect(),
            ice_state: dump.ice_state.into(),
            ice_selected_tuple: dump.ice_selected_tuple.clone(),
            dtls_parameters: DtlsParameters {
                role: dump.dtls_role.into(),
                fingerprints: dump.dtls_fingerprints.iter().map(Into::into).collect(),
            },
            dtls_state: dump.dtls_state.into(),
            dtls_remote_cert: None,
        };
    }
}

impl Default for Told {
    fn default() -> Self {
        Self {
            ice_parameters: IceParameters {
                username_fragment: String::new(),
                password: String::new(),
                ice_lite: true,
            },
            ice_candidates: Vec::new(),
            ice_state: IceState::New,
            ice_selected_tuple: None,
            dtls_parameters: DtlsParameters { role: DtlsRole::Auto, fingerprints: Vec::new() },
            dtls_state: DtlsState::New,
            dtls_remote_cert: None,
        }
    }
}
