//! The Node example's echo room, a process of its own.
//!
//! Knows its command line and what it says first. Does not know what is visited there.
//! Invariant: the process ends with its handle.

use std::path::Path;
use std::process::Stdio;

use libtest_mimic::Failed;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The process.
#[derive(Debug)]
pub(crate) struct NodeRoom {
    pub(crate) port: u16,
    _process: Child,
}

impl NodeRoom {
    /// Starts it on ports that are free.
    pub(crate) async fn open() -> Result<Self, Failed> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../host-bindings/node/examples/echo-room/src/main.js");
        let mut process = Command::new("node")
            .arg(script)
            .args(["--listen", "127.0.0.1:0", "--media-port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().ok_or("the process has no pipe")?;
        let said = BufReader::new(output).lines().next_line().await?;
        let said = said.ok_or("the Node example ended; was it prepared (`npm test` there)?")?;
        // open http://ADDRESS:PORT/ in a browser
        let address = said.split('/').nth(2).and_then(|address| address.rsplit_once(':'));
        let port = address.and_then(|(_, port)| port.parse().ok());
        Ok(Self { port: port.ok_or(said)?, _process: process })
    }
}
