//! Bytes of the pipe to messages and back: the greeting, the reading and the writing task.
//!
//! Knows readers, writers and frames. Does not know what messages mean. Called by the supervisor.

use std::io;
use std::sync::Arc;

use tidegate_protocol::PROTOCOL_VERSION;
use tidegate_protocol::bounded::Text;
use tidegate_protocol::codec;
use tidegate_protocol::frame::FrameReader;
use tidegate_protocol::message::{FromWorker, Hello, HelloReply, ToWorker};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::{Connection, Outgoing, stopped};
use crate::error::SpawnError;

/// From the worker.
pub(crate) type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// To the worker.
pub(crate) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Messages from the worker.
pub(crate) struct Inbound {
    reader: Reader,
    frames: FrameReader,
    chunk: Vec<u8>,
}

/// Why reading ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadEnd {
    /// The worker closed the pipe: it is gone or going.
    Closed,
    /// What came is no message, or not one that may come now. The worker cannot be followed any more.
    Broken(String),
}

impl Inbound {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, frames: FrameReader::default(), chunk: vec![0; CHUNK_BYTES] }
    }

    /// The worker's greeting, if its version is ours. `None` when the pipe closed first.
    pub(crate) async fn greeting(&mut self) -> Result<Option<Hello>, SpawnError> {
        let content = match self.frame().await {
            Ok(content) => content,
            Err(ReadEnd::Closed) => return Ok(None),
            Err(ReadEnd::Broken(cause)) => return Err(SpawnError::Greeting(cause)),
        };
        match codec::greeting_version(&content) {
            Some(PROTOCOL_VERSION) => {}
            Some(worker) => return Err(SpawnError::Version { host: PROTOCOL_VERSION, worker }),
            None => return Err(SpawnError::Greeting("its first message is no greeting".to_owned())),
        }
        match codec::decode(&content) {
            Ok(FromWorker::Hello(hello)) => Ok(Some(hello)),
            Ok(_) => Err(SpawnError::Greeting("its first message is no greeting".to_owned())),
            Err(error) => Err(SpawnError::Greeting(error.to_string())),
        }
    }

    /// Gives every message to `connection` until there are no more.
    pub(crate) async fn run(mut self, connection: Arc<Connection>) -> ReadEnd {
        loop {
            let content = match self.frame().await {
                Ok(content) => content,
                Err(end) => return end,
            };
            let message = match codec::decode(&content) {
                Ok(message) => message,
                Err(error) => return ReadEnd::Broken(format!("it sent {error}")),
            };
            if let Err(cause) = connection.on_message(message) {
                return ReadEnd::Broken(cause.to_owned());
            }
        }
    }

    /// The content of the next frame.
    async fn frame(&mut self) -> Result<Vec<u8>, ReadEnd> {
        loop {
            match self.frames.next_frame() {
                Ok(Some(content)) => return Ok(content.to_vec()),
                Ok(None) => self.frames.shrink(),
                Err(broken) => return Err(ReadEnd::Broken(broken.to_string())),
            }
            match self.reader.read(&mut self.chunk).await {
                Ok(0) | Err(_) => return Err(ReadEnd::Closed),
                Ok(bytes) => self.frames.push(self.chunk.get(..bytes).unwrap_or_default()),
            }
        }
    }
}

/// Answers the worker's greeting.
pub(crate) async fn greet(writer: &mut Writer) -> io::Result<()> {
    let host = Text::clipped(concat!("tidegate-rust ", env!("CARGO_PKG_VERSION")));
    let mut frame = Vec::new();
    let reply = ToWorker::HelloReply(HelloReply { protocol_version: PROTOCOL_VERSION, host });
    codec::encode_frame(&reply, &mut frame).map_err(io::Error::other)?;
    writer.write_all(&frame).await
}

/// Writes `frames` until the connection closes; then the pipe closes, in the middle of a frame if the worker does
/// not read. A broken pipe ends it too; the reading side sees that better.
pub(crate) async fn write_frames(
    mut writer: Writer,
    mut frames: mpsc::UnboundedReceiver<Outgoing>,
    connection: Arc<Connection>,
) {
    let fate = connection.fate();
    let writing = async {
        let mut batch = Vec::with_capacity(BATCH_FRAMES);
        let mut bytes = Vec::new();
        while frames.recv_many(&mut batch, BATCH_FRAMES).await > 0 {
            for outgoing in batch.drain(..) {
                bytes.extend_from_slice(&outgoing.frame);
                drop(outgoing.room);
            }
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
            bytes.clear();
            bytes.shrink_to(CHUNK_BYTES);
        }
    };
    tokio::select! {
        () = writing => {}
        () = stopped(fate) => {}
    }
}

/// Bytes read in one go; what a buffer keeps between uses.
const CHUNK_BYTES: usize = 16 << 10;
/// Frames written in one go.
const BATCH_FRAMES: usize = 64;
