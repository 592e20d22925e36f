//! `cargo run --release -p echo-room`: rooms in the browser.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::Parser;
use echo_room::{Hall, MediaOptions, media_codecs, serve};
use tidegate::WorkerSettings;
use tokio::net::TcpListener;

/// Rooms in the browser: everybody sees and hears everybody, themselves included.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where the page is served.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the worker listens for media.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    media_ip: IpAddr,
    /// What browsers are told instead of --media-ip.
    #[arg(long)]
    announced_address: Option<String>,
    /// The UDP and TCP port for media.
    #[arg(long, default_value_t = 44_444)]
    media_port: u16,
}

fn main() -> ExitCode {
    tidegate::embedded::run_if_worker();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ran = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(arguments)));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let media = MediaOptions {
        ip: arguments.media_ip,
        announced_address: arguments.announced_address,
        port: arguments.media_port,
        codecs: media_codecs(),
        worker: WorkerSettings::default(),
    };
    let hall = Hall::open(media).await?;
    let listener = TcpListener::bind(arguments.listen).await?;
    println!("http://{}/", listener.local_addr()?);
    serve(hall, listener, async {
        let _ = tokio::signal::ctrl_c().await;
    })
    .await?;
    Ok(())
}
