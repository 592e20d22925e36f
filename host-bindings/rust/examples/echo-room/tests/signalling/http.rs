//! HTTP as clients of WHIP and WHEP speak it: one request a connection.
//!
//! Knows lines and fields. Does not know what answers must be.

use std::net::SocketAddr;

use libtest_mimic::Failed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: &'static str,
    path: String,
    fields: String,
    body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn new(method: &'static str, path: &str) -> Self {
        Self { method, path: path.to_owned(), fields: String::new(), body: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn body(self, content_type: &str, body: &str) -> Self {
        Self { body: body.as_bytes().to_vec(), ..self.with("content-type", content_type) }
    }

    pub(crate) async fn send(self, address: SocketAddr) -> Result<Answer, Failed> {
        let Self { method, path, fields, body } = self;
        let mut stream = TcpStream::connect(address).await?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{fields}\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        // Who is refused for the length of its body may find nobody who reads it.
        let _ = stream.write_all(&body).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        if answer.is_empty() {
            read?;
        }
        Answer::parse(&String::from_utf8_lossy(&answer))
    }
}

impl Answer {
    fn parse(text: &str) -> Result<Self, Failed> {
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {text}"))?;
        let mut lines = head.lines();
        let status =
            lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let fields = lines.filter_map(|line| line.split_once(": "));
        let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Ok(Self {
            status: status.ok_or_else(|| format!("no status: {text}"))?,
            fields,
            body: body.to_owned(),
        })
    }

    /// A header field; empty when it is not there.
    pub(crate) fn field(&self, name: &str) -> &str {
        let mut fields = self.fields.iter();
        fields.find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }
}
