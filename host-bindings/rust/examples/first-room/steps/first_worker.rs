//! A worker, until it ends or Ctrl-C does.

use std::error::Error;

use tidegate::{Worker, WorkerSettings};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    tidegate::embedded::run_if_worker();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    let worker = Worker::spawn(WorkerSettings::default()).await?;
    println!("the worker is process {}", worker.pid());
    tokio::select! {
        exit = worker.closed() => println!("the worker {exit}"),
        _ = tokio::signal::ctrl_c() => {
            worker.close();
            println!("the worker {}", worker.closed().await);
        }
    }
    Ok(())
}
