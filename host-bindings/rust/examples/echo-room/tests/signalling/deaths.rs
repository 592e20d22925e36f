//! Workers that end, and the house that ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use echo_room::Limits;
use libtest_mimic::{Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tidegate::{WorkerBin, WorkerSettings};

use crate::house::House;
use crate::visitor::{Visitor, text};
use crate::{ensure, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("everybody_begins_anew_on_the_same_ports_after_the_worker_died", death),
        trial("workers_that_die_young_are_started_later_and_later", crash_loop),
        trial("a_worker_that_cannot_be_started_is_tried_again", no_worker),
        trial("a_worker_that_does_not_answer_is_replaced", hung),
        trial("visitors_of_a_house_that_closes_are_told_and_no_process_stays", closing),
    ]
}

async fn death() -> Result<(), Failed> {
    let house = House::open().await?;
    let mut ann = Visitor::join(house.address, "a").await?;
    let mut ben = Visitor::join(house.address, "a").await?;
    ann.ask("watchFigures", Value::Null).await?;
    let (before, producer) = (ann.transport().await?, ann.produce().await?);
    let pid = house.worker_pid().await?;
    end(pid, Signal::SIGKILL)?;
    for visitor in [&mut ann, &mut ben] {
        let told = visitor.event("workerDied").await?;
        // As the Rust host puts it, and as Node does.
        let words = ["the worker was ended by signal 9", "the worker was ended by SIGKILL"];
        let reason = text(&told["reason"])?;
        ensure(words.iter().any(|word| reason.starts_with(word)), || told.to_string())?;
        ensure(told["inARow"] == 1 && told["restartInMs"] == 0, || told.to_string())?;
        visitor.event("welcome").await?;
    }
    ensure(house.worker_pid().await? != pid, || "the same process".to_owned())?;
    // What they had is gone, and nobody was said to have left.
    let error = ann.refused("closeProducer", json!({ "producerId": producer })).await?;
    ensure(error.starts_with("no track"), || error)?;
    for visitor in [&mut ann, &mut ben] {
        visitor.begin().await?;
        let untaken = visitor.untaken();
        ensure(!untaken.contains(&"peerLeft") && !untaken.contains(&"consumerClosed"), || {
            format!("{untaken:?}")
        })?;
    }
    let after = ann.transport().await?;
    ensure(places(&before) == places(&after), || format!("{before}\n{after}"))?;
    let producer = ben.produce().await?;
    ann.wait(|told| told["data"]["producerId"] == producer).await?;
    // Figures go on by themselves.
    let next = house.worker_pid().await?;
    ann.wait(|told| told["event"] == "figures" && told["data"]["worker"]["pid"] == next).await?;
    drop((ann, ben));
    house.is_left_clean().await
}

async fn crash_loop() -> Result<(), Failed> {
    let house = House::open().await?;
    let mut visitor = Visitor::enter(house.address, "a").await?;
    for (in_a_row, restart_in_ms) in [(1, 0), (2, 500), (3, 1_000)] {
        end(house.worker_pid().await?, Signal::SIGKILL)?;
        let told = visitor.event("workerDied").await?;
        ensure(told["inARow"] == in_a_row && told["restartInMs"] == restart_in_ms, || told.to_string())?;
        if restart_in_ms > 0 {
            let error = visitor.refused("createTransport", json!({})).await?;
            ensure(error.contains("no worker now"), || error)?;
        }
        visitor.event("welcome").await?;
    }
    visitor.begin().await?;
    // Who comes while there is none waits for the next.
    end(house.worker_pid().await?, Signal::SIGKILL)?;
    visitor.event("workerDied").await?;
    let mut late = Visitor::knock(house.address, "a").await?;
    let told = late.event("workerDied").await?;
    ensure(told["inARow"] == 4, || told.to_string())?;
    late.event("welcome").await?;
    Ok(())
}

async fn no_worker() -> Result<(), Failed> {
    let folder = std::env::temp_dir().join(format!("echo-room-test-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let program = folder.join("worker");
    let executable = std::env::current_exe()?;
    let script = format!("#!/bin/sh\nexec '{}' --tidegate-embedded-worker \"$@\"\n", executable.display());
    install(&program, &script)?;
    let settings =
        WorkerSettings { worker_bin: WorkerBin::Path(program.clone()), ..WorkerSettings::default() };
    let house = House::with(Limits::default(), settings).await?;
    let mut visitor = Visitor::enter(house.address, "a").await?;
    install(&program, "#!/bin/sh\necho no luck today >&2\nexit 3\n")?;
    end(house.worker_pid().await?, Signal::SIGKILL)?;
    visitor.event("workerDied").await?;
    let told = visitor.event("workerDied").await?;
    let reason = text(&told["reason"])?;
    ensure(reason.contains("exited with code 3") && reason.contains("no luck today"), || told.to_string())?;
    ensure(told["inARow"] == 2, || told.to_string())?;
    install(&program, &script)?;
    visitor.event("welcome").await?;
    visitor.begin().await?;
    fs::remove_dir_all(folder)?;
    Ok(())
}

async fn hung() -> Result<(), Failed> {
    let settings = WorkerSettings { request_timeout: Duration::from_secs(1), ..WorkerSettings::default() };
    let house = House::with(Limits::default(), settings).await?;
    let mut visitor = Visitor::enter(house.address, "a").await?;
    let pid = house.worker_pid().await?;
    end(pid, Signal::SIGSTOP)?;
    let told = visitor.event("workerDied").await?;
    ensure(text(&told["reason"])?.contains("did not answer"), || told.to_string())?;
    visitor.event("welcome").await?;
    ensure(!is_there(pid), || "the stopped process is there still".to_owned())
}

async fn closing() -> Result<(), Failed> {
    let house = House::open().await?;
    let mut visitor = Visitor::enter(house.address, "a").await?;
    let pid = house.worker_pid().await?;
    let (closed, farewell) = tokio::join!(house.close(), visitor.farewell());
    closed?;
    let farewell = farewell?;
    ensure(farewell.code == 1_001 && farewell.error.contains("being stopped"), || format!("{farewell:?}"))?;
    ensure(!is_there(pid), || "the worker is there still".to_owned())
}

/// Where a transport is reached.
fn places(transport: &Value) -> Vec<(&Value, &Value)> {
    let candidates = transport["iceCandidates"].as_array();
    candidates.into_iter().flatten().map(|candidate| (&candidate["protocol"], &candidate["port"])).collect()
}

fn install(program: &Path, script: &str) -> Result<(), Failed> {
    // Another file in its place: this one may be being read.
    let next = program.with_extension("next");
    fs::write(&next, script)?;
    fs::set_permissions(&next, fs::Permissions::from_mode(0o755))?;
    Ok(fs::rename(next, program)?)
}

fn end(pid: u32, signal: Signal) -> Result<(), Failed> {
    Ok(kill(Pid::from_raw(i32::try_from(pid)?), signal)?)
}

fn is_there(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
