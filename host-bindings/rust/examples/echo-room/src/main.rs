//! `cargo run --release -p echo-room`: rooms in the browser.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::Parser;
use echo_room::{Hall, Limits, MediaOptions, Status, media_codecs, serve};
use tidegate::WorkerSettings;
use tokio::net::{TcpListener, UdpSocket};
use tokio::signal::unix::{SignalKind, signal};

/// Rooms in the browser: everybody sees and hears everybody, themselves included.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where the page is served.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the worker listens for media; may be given several times. Otherwise loopback, and the address that this machine
    /// has in its network: Firefox sends nothing to loopback.
    #[arg(long)]
    media_ip: Vec<IpAddr>,
    /// What browsers are told instead of the one --media-ip.
    #[arg(long, requires = "media_ip")]
    announced_address: Option<String>,
    /// The UDP and TCP port for media.
    #[arg(long, default_value_t = 44_444)]
    media_port: u16,
    /// Visitors in one room.
    #[arg(long, default_value_t = Limits::default().visitors)]
    visitors: usize,
}

fn main() -> ExitCode {
    tidegate::embedded::run_if_worker();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ran = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(arguments)));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo-room: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { listen, media_ip, announced_address, media_port, visitors } = arguments;
    let media = MediaOptions {
        ips: if media_ip.is_empty() { own_addresses().await } else { media_ip },
        announced_address,
        port: media_port,
        codecs: media_codecs(),
        worker: WorkerSettings::default(),
    };
    // Before anything is said: whoever reads it may send signals.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot serve at {listen}: {error}; --listen chooses another place"))?;
    let hall = Hall::open_within(media, Limits { visitors, ..Limits::default() }).await?;
    println!("open http://{}/ in a browser; Ctrl-C ends it", listener.local_addr()?);
    tokio::spawn(report(hall.status()));
    serve(hall, listener, async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
    .await?;
    Ok(())
}

/// Loopback, and the address by which this machine would send to its network, if there is one.
async fn own_addresses() -> Vec<IpAddr> {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    // Nothing is sent: the system only says by which of its addresses it would go to a network for documentation.
    let routed = async {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        socket.connect((Ipv4Addr::new(198, 51, 100, 1), 9)).await?;
        std::io::Result::Ok(socket.local_addr()?.ip())
    };
    let routed = routed.await.ok().filter(|ip| !ip.is_loopback() && !ip.is_unspecified());
    [Some(loopback), routed].into_iter().flatten().collect()
}

/// Says on the terminal what becomes of workers.
async fn report(mut status: tokio::sync::watch::Receiver<Status>) {
    while status.changed().await.is_ok() {
        let now = status.borrow_and_update().clone();
        match now {
            Status::Running(stage) => eprintln!("worker {} has taken over", stage.worker.pid()),
            Status::Down(death) => {
                let pause = death.restart_in;
                let when = if pause.is_zero() { "now".to_owned() } else { format!("in {pause:?}") };
                eprintln!("{}; the next one starts {when}", death.reason);
            }
            Status::Closed => return,
        }
    }
}
