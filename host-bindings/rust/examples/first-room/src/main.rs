//! A room in the browser: everybody who opens the page sees and hears everybody else.

mod room;
mod visitor;
mod web;

use std::convert::Infallible;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::room::Room;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    tidegate::embedded::run_if_worker();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    // Where the page is, and where media goes.
    let mut arguments = std::env::args().skip(1);
    let page: SocketAddr = arguments.next().as_deref().unwrap_or("127.0.0.1:3000").parse()?;
    let media: IpAddr = arguments.next().as_deref().unwrap_or("127.0.0.1").parse()?;
    let listener = TcpListener::bind(page).await?;
    let (rooms, current) = watch::channel(Room::open(media).await?);
    println!("open http://{}/ in two windows", listener.local_addr()?);
    let serving = axum::serve(listener, web::routes(current.clone())).into_future();
    tokio::select! {
        served = serving => served?,
        failed = keep_open(&rooms, media) => match failed? {},
        _ = tokio::signal::ctrl_c() => {}
    }
    let worker = current.borrow().worker.clone();
    worker.close();
    worker.closed().await;
    Ok(())
}

/// Whenever the worker has died, opens the room again, in another one.
async fn keep_open(
    rooms: &watch::Sender<Arc<Room>>,
    ip: IpAddr,
) -> Result<Infallible, Box<dyn Error + Send + Sync>> {
    loop {
        let gone = rooms.borrow().worker.closed();
        let exit = gone.await;
        eprintln!("the worker {exit}; another one is started");
        // One that dies at once would be started as fast as the machine can, again and again.
        tokio::time::sleep(Duration::from_millis(500)).await;
        rooms.send_replace(Room::open(ip).await?);
    }
}
