//! The Node example as a house: a process that is asked by lines and answers in lines of JSON.
//!
//! Knows `test/house.js` of that example. Does not know visitors.
//! Invariant: the process ends with its handle.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;

use echo_room::Limits;
use libtest_mimic::Failed;
use serde_json::{Value, json};
use tidegate::{WorkerBin, WorkerSettings};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::house::Held;

/// The process.
#[derive(Debug)]
pub(crate) struct NodeHouse {
    process: Child,
    pipes: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
}

impl NodeHouse {
    /// Starts it; and where it serves.
    pub(crate) async fn open(limits: Limits, worker: &WorkerSettings) -> Result<(Self, SocketAddr), Failed> {
        // What publishes and plays by HTTP alone the Node example does not have.
        let Limits { sockets, connections, rooms, visitors, silence, sessions: _, connecting: _ } = limits;
        let mut settings = json!({ "requestTimeout": worker.request_timeout.as_millis() });
        if let WorkerBin::Path(path) = &worker.worker_bin {
            settings["workerBin"] = json!(path);
        }
        let options = json!({
            "limits": {
                "sockets": sockets, "connections": connections, "rooms": rooms, "visitors": visitors,
                "silenceMs": silence.as_millis(),
            },
            "worker": settings,
        });
        let mut process = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT))
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("the process has no pipes".into());
        };
        let house = Self { process, pipes: Mutex::new((input, BufReader::new(output).lines())) };
        let port = number(&house.ask("port").await?)?;
        Ok((house, SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port)?))))
    }

    pub(crate) async fn worker_pid(&self) -> Result<u32, Failed> {
        Ok(u32::try_from(number(&self.ask("workerPid").await?)?)?)
    }

    pub(crate) async fn held(&self) -> Result<Held, Failed> {
        let told = self.ask("held").await?;
        Ok(Held {
            routers: number(&told["routers"])?,
            others: number(&told["others"])?,
            panics_contained: number(&told["panicsContained"])?,
        })
    }

    /// Stops serving, and waits until the process is gone.
    pub(crate) async fn close(mut self) -> Result<(), Failed> {
        drop(self.pipes);
        let status = self.process.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("it ended with {status}").into()) }
    }

    async fn ask(&self, question: &str) -> Result<Value, Failed> {
        let mut pipes = self.pipes.lock().await;
        let (input, output) = &mut *pipes;
        input.write_all(format!("{question}\n").as_bytes()).await?;
        let answer = output.next_line().await?;
        Ok(serde_json::from_str(
            &answer.ok_or("the Node example ended; was it prepared (`npm test` there)?")?,
        )?)
    }
}

fn number(value: &Value) -> Result<u64, Failed> {
    value.as_u64().ok_or_else(|| format!("no number: {value}").into())
}

const SCRIPT: &str = "../../../node/examples/echo-room/test/house.js";
