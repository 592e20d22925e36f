//! What the handshakes of all transports share: a certificate, made when first needed or given in files.
//!
//! Knows when. The certificate is the engine's business.

use std::sync::Arc;
use std::time::Instant;

use crate::dtls::{Certificate, Context};
use crate::media::refused::Refused;
use crate::turn::Turn;

/// The certificate's context, once there is one.
#[derive(Debug, Default)]
pub(crate) struct DtlsContext(Option<Arc<Context>>);

impl DtlsContext {
    /// With the certificate of the settings.
    pub(crate) fn of(certificate: Certificate) -> Self {
        Self(Some(Arc::new(Context::new(certificate, origin()))))
    }

    /// What a new transport needs; made if there is none.
    pub(crate) fn get(&mut self, turn: &Turn<'_>) -> Result<Arc<Context>, Refused> {
        if let Some(context) = &self.0 {
            return Ok(Arc::clone(context));
        }
        let unix_seconds = (turn.wall.0 >> 32).saturating_sub(UNIX_EPOCH_IN_NTP);
        let certificate = Certificate::generate(unix_seconds)
            .map_err(|error| Refused::state(format!("no certificate could be made: {error}")))?;
        let context = Arc::new(Context::new(certificate, origin()));
        self.0 = Some(Arc::clone(&context));
        Ok(context)
    }
}

/// What the library counts its times from. Only differences to it are ever looked at, so that any moment would do.
#[expect(
    clippy::disallowed_methods,
    reason = "an Instant can be had in no other way; its value does not matter"
)]
fn origin() -> Instant {
    Instant::now()
}

/// Seconds from 1900 to 1970.
const UNIX_EPOCH_IN_NTP: u64 = 2_208_988_800;
