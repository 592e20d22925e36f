//! A visitor: one WebSocket, what they ask and what they are told.
//!
//! Knows the signalling's frame. Does not know what answers must be.

use std::collections::VecDeque;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use libtest_mimic::Failed;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// A visitor.
#[derive(Debug)]
pub(crate) struct Visitor {
    socket: WebSocketStream<TcpStream>,
    /// Told and not yet asked for.
    told: VecDeque<Value>,
    last_id: u64,
}

/// How the server ended a conversation.
#[derive(Debug)]
pub(crate) struct Farewell {
    /// The sentence before the end.
    pub(crate) error: String,
    /// Of the close frame.
    pub(crate) code: u16,
}

impl Visitor {
    /// Opens a WebSocket; `room` as it is in an address.
    pub(crate) async fn knock(address: SocketAddr, room: &str) -> Result<Self, Failed> {
        let stream = TcpStream::connect(address).await?;
        let url = format!("ws://{address}/signalling?room={room}");
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await?;
        Ok(Self { socket, told: VecDeque::new(), last_id: 0 })
    }

    /// Likewise, and waits for the welcome.
    pub(crate) async fn enter(address: SocketAddr, room: &str) -> Result<Self, Failed> {
        let mut visitor = Self::knock(address, room).await?;
        visitor.event("welcome").await?;
        Ok(visitor)
    }

    /// Enters and joins, able to receive all that the room forwards.
    pub(crate) async fn join(address: SocketAddr, room: &str) -> Result<Self, Failed> {
        let mut visitor = Self::enter(address, room).await?;
        visitor.begin().await?;
        Ok(visitor)
    }

    /// What a page does after each welcome.
    pub(crate) async fn begin(&mut self) -> Result<(), Failed> {
        let capabilities = self.ask("routerRtpCapabilities", Value::Null).await?;
        self.ask("join", json!({ "rtpCapabilities": capabilities })).await?;
        Ok(())
    }

    /// Makes a transport; what the server tells of it.
    pub(crate) async fn transport(&mut self) -> Result<Value, Failed> {
        self.ask("createTransport", json!({})).await
    }

    /// Sends a track of sound; its id.
    pub(crate) async fn produce(&mut self) -> Result<String, Failed> {
        let transport = self.transport().await?;
        let opus =
            json!({ "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48_000, "channels": 2 });
        let parameters = json!({ "codecs": [opus], "encodings": [{ "ssrc": 1 }] });
        let request = json!({ "transportId": transport["id"], "kind": "audio", "rtpParameters": parameters });
        let told = self.ask("produce", request).await?;
        Ok(text(&told["id"])?.to_owned())
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&mut self, method: &str, data: Value) -> Result<Value, Failed> {
        self.try_ask(method, data).await?.map_err(|error| format!("{method}: {error}").into())
    }

    /// Asks for what has to be refused; why it is.
    pub(crate) async fn refused(&mut self, method: &str, data: Value) -> Result<String, Failed> {
        match self.try_ask(method, data.clone()).await? {
            Ok(answer) => Err(format!("{method} {data} was not refused but answered {answer}").into()),
            Err(error) => Ok(error),
        }
    }

    async fn try_ask(&mut self, method: &str, data: Value) -> Result<Result<Value, String>, Failed> {
        self.last_id += 1;
        let id = self.last_id;
        let mut request = json!({ "id": id, "method": method });
        if !data.is_null() {
            request["data"] = data;
        }
        self.say(Message::text(request.to_string())).await?;
        let told = self.wait(|told| told["id"] == id).await?;
        let error = told.get("error").map(|error| text(error).map(str::to_owned)).transpose()?;
        Ok(error.map_or_else(|| Ok(told["ok"].clone()), Err))
    }

    /// Says anything.
    pub(crate) async fn say(&mut self, message: Message) -> Result<(), Failed> {
        Ok(self.socket.send(message).await?)
    }

    /// Waits for the next event of this name; its data.
    pub(crate) async fn event(&mut self, name: &str) -> Result<Value, Failed> {
        Ok(self.wait(|told| told["event"] == name).await?["data"].clone())
    }

    /// Waits for a message for which this holds; others wait their turn.
    pub(crate) async fn wait(&mut self, is_it: impl Fn(&Value) -> bool) -> Result<Value, Failed> {
        if let Some(at) = self.told.iter().position(&is_it) {
            return Ok(self.told.remove(at).unwrap_or_default());
        }
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let told: Value = serde_json::from_str(&text)?;
                    if is_it(&told) {
                        return Ok(told);
                    }
                    self.told.push_back(told);
                }
                Some(Ok(Message::Ping(_))) => {}
                end => return Err(format!("{end:?} after {:?}", self.told).into()),
            }
        }
    }

    /// Waits until the server ends the conversation.
    pub(crate) async fn farewell(&mut self) -> Result<Farewell, Failed> {
        let told = self.wait(|told| told.get("error").is_some() && told.get("id").is_none()).await?;
        let error = text(&told["error"])?.to_owned();
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Ok(Farewell { error, code: frame.code.into() });
                }
                Some(Ok(_)) => {}
                end => return Err(format!("{end:?} after {error}").into()),
            }
        }
    }

    /// Events that came and were not asked for, by name.
    pub(crate) fn untaken(&self) -> Vec<&str> {
        self.told.iter().filter_map(|told| told["event"].as_str()).collect()
    }
}

/// A value that has to be a text.
pub(crate) fn text(value: &Value) -> Result<&str, Failed> {
    value.as_str().ok_or_else(|| format!("no text: {value}").into())
}
