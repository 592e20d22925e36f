//! Processes: how they begin, how they end, and what they hold.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::time::Duration;

use libtest_mimic::Trial;
use tidegate::{
    ExitReason, LogLevel, LogTag, RequestError, RouterOptions, SpawnError, UpdateSettings, Worker, WorkerBin,
    WorkerEvent, WorkerSettings,
};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::helper::{self, MANY_WORKERS, REPLACED, TWO_WORKERS};
use crate::system::{exists, is_running, pipes, signal, within};
use crate::{settings, trial};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("worker_greets_and_answers", worker_greets_and_answers),
        trial("closed_worker_leaves_with_code_0", closed_worker_leaves_with_code_0),
        trial("dropping_the_last_handle_ends_the_process", dropping_the_last_handle_ends_the_process),
        trial("killed_worker_is_noticed_at_once", killed_worker_is_noticed_at_once),
        trial("pending_requests_fail_when_the_worker_is_killed", pending_requests_fail),
        trial("worker_that_does_not_react_is_killed_on_close", worker_that_does_not_react_is_killed_on_close),
        trial("worker_that_does_not_react_times_requests_out", worker_that_does_not_react_times_requests_out),
        trial("workers_hold_no_pipe_of_one_another", workers_hold_no_pipe_of_one_another),
        trial("both_workers_of_a_killed_host_leave", both_workers_of_a_killed_host_leave),
        trial("workers_start_when_the_executable_is_gone", workers_start_when_the_executable_is_gone),
        trial("log_follows_the_settings_while_the_worker_runs", log_follows_the_settings),
        trial("nothing_is_left_of_fifty_workers", nothing_is_left_of_fifty_workers),
        trial("programs_that_are_no_worker_are_refused", programs_that_are_no_worker_are_refused),
    ]
    .into_iter()
    .chain([Trial::test("worker_ends_with_its_runtime", || {
        worker_ends_with_its_runtime();
        Ok(())
    })])
    .collect()
}

async fn spawn() -> Worker {
    Worker::spawn(settings()).await.unwrap()
}

async fn worker_greets_and_answers() {
    let worker = spawn().await;
    assert!(is_running(worker.pid()));
    assert_eq!(worker.dump().await.unwrap().pid, worker.pid());
    assert!(worker.get_resource_usage().await.unwrap().ru_maxrss > 0);
    assert!(!worker.get_metrics().await.unwrap().values.is_empty());
    assert!(!worker.version().is_empty());
}

async fn log_follows_the_settings() {
    let worker = spawn().await;
    let mut events = worker.events();
    let router = || worker.create_router(RouterOptions::default());
    let quiet = router().await.unwrap();
    let talkative = UpdateSettings {
        log_level: Some(LogLevel::Debug),
        log_tags: Some(vec![LogTag::Info, LogTag::Score]),
    };
    worker.update_settings(talkative).await.unwrap();
    let told = router().await.unwrap();
    let errors_only = UpdateSettings { log_level: Some(LogLevel::Error), log_tags: None };
    worker.update_settings(errors_only).await.unwrap();
    let quiet_again = router().await.unwrap();
    let lines = std::iter::from_fn(|| events.try_next()).filter_map(|event| match event {
        WorkerEvent::Log { level, tag, text } => Some((level, tag, text)),
        _ => None,
    });
    let created = format!("router {}: created", told.wire_id().0);
    let expected = ["log level is debug now, debug lines are of: info, score", &created];
    let expected = expected.map(|text| (LogLevel::Debug, LogTag::Info, text.to_owned()));
    assert_eq!(lines.collect::<Vec<_>>(), expected);
    drop((quiet, quiet_again));
}

async fn closed_worker_leaves_with_code_0() {
    let worker = spawn().await;
    worker.close();
    let exit = timeout(Duration::from_secs(1), worker.closed()).await.expect("within a second");
    assert_eq!((exit.reason, exit.killed_for, exit.last_words.as_str()), (ExitReason::Code(0), None, ""));
    assert_eq!(worker.died().await, None);
    assert!(!exists(worker.pid()), "it is reaped");
}

async fn dropping_the_last_handle_ends_the_process() {
    let worker = spawn().await;
    let (pid, closed) = (worker.pid(), worker.closed());
    drop(worker);
    let exit = timeout(Duration::from_secs(1), closed).await.expect("within a second");
    assert_eq!(exit.reason, ExitReason::Code(0));
    assert!(!exists(pid), "it is reaped");
}

async fn killed_worker_is_noticed_at_once() {
    for (name, number) in [("KILL", 9), ("ABRT", 6)] {
        let worker = spawn().await;
        let died = worker.died();
        signal(worker.pid(), name);
        let exit = timeout(Duration::from_secs(1), died).await.expect("within a second").unwrap();
        assert_eq!(exit.reason, ExitReason::Signal(number));
        let error = worker.dump().await.unwrap_err();
        assert!(matches!(error, RequestError::WorkerClosed { exit: Some(_) }), "{error}");
    }
}

async fn pending_requests_fail() {
    let worker = spawn().await;
    signal(worker.pid(), "STOP");
    let mut requests = JoinSet::new();
    for _ in 0..1000 {
        let worker = worker.clone();
        requests.spawn(async move { worker.get_metrics().await });
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    signal(worker.pid(), "KILL");
    let all = async {
        let mut failed = 0;
        while let Some(result) = requests.join_next().await {
            let error = result.unwrap().unwrap_err();
            let RequestError::WorkerClosed { exit: Some(exit) } = error else { panic!("{error}") };
            assert_eq!(exit.reason, ExitReason::Signal(9));
            failed += 1;
        }
        failed
    };
    assert_eq!(timeout(Duration::from_secs(1), all).await.expect("within a second"), 1000);
}

async fn worker_that_does_not_react_is_killed_on_close() {
    let worker = spawn().await;
    signal(worker.pid(), "STOP");
    worker.close();
    let exit = timeout(Duration::from_secs(3), worker.closed()).await.expect("after two seconds");
    assert_eq!(exit.reason, ExitReason::Signal(9));
}

async fn worker_that_does_not_react_times_requests_out() {
    let settings = WorkerSettings { request_timeout: Duration::from_millis(200), ..settings() };
    let worker = Worker::spawn(settings).await.unwrap();
    signal(worker.pid(), "STOP");
    let error = worker.dump().await.unwrap_err();
    assert_eq!(error, RequestError::Timeout { after: Duration::from_millis(200) });
    signal(worker.pid(), "CONT");
    assert_eq!(worker.dump().await.unwrap().pid, worker.pid());
}

async fn workers_hold_no_pipe_of_one_another() {
    let (one, two) = tokio::join!(spawn(), spawn());
    let three = spawn().await;
    // What this process was given itself without close-on-exec is none of ours.
    let given = pipes(std::os::unix::process::parent_id());
    let held = [&one, &two, &three].map(|worker| &pipes(worker.pid()) - &given);
    assert!(held.iter().all(|pipes| pipes.len() == 4), "two for control, two for output: {held:?}");
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        assert!(held[a].is_disjoint(&held[b]), "{held:?}");
    }
}

async fn both_workers_of_a_killed_host_leave() {
    let mut host = helper::command(TWO_WORKERS).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pids: Vec<u32> = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| is_running(*pid)));
    host.kill().unwrap();
    host.wait().unwrap();
    let gone = || pids.iter().all(|pid| !is_running(*pid));
    within(Duration::from_secs(1), "both workers are gone", gone).await;
}

async fn workers_start_when_the_executable_is_gone() {
    let copy = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("host-that-goes");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let output = std::process::Command::new(&copy).arg(REPLACED).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "true\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!copy.exists());
}

async fn nothing_is_left_of_fifty_workers() {
    let mut host = helper::command(MANY_WORKERS).spawn().unwrap();
    let mut told = String::new();
    host.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    host.wait().unwrap();
    assert_eq!(told, "0 0\n", "descriptors, children");
}

async fn programs_that_are_no_worker_are_refused() {
    let myself = std::env::current_exe().unwrap();
    let with = |program: &str| WorkerSettings {
        worker_bin: WorkerBin::Path(PathBuf::from(program)),
        start_timeout: Duration::from_millis(300),
        ..WorkerSettings::default()
    };
    let missing = Worker::spawn(with("/nonexistent/worker")).await.unwrap_err();
    assert!(matches!(missing, SpawnError::NotFound { .. }), "{missing}");
    let no_program = Worker::spawn(with("/etc/passwd")).await.unwrap_err();
    assert!(matches!(no_program, SpawnError::NotStarted { .. }), "{no_program}");
    let leaves = Worker::spawn(with("/bin/false")).await.unwrap_err();
    assert!(matches!(&leaves, SpawnError::Exited(exit) if exit.reason == ExitReason::Code(1)), "{leaves}");
    let complains = Worker::spawn(with("/bin/ls")).await.unwrap_err();
    assert!(complains.to_string().contains("last words"), "{complains}");
    let silent = Worker::spawn(with(myself.to_str().unwrap())).await.unwrap_err();
    assert!(matches!(silent, SpawnError::StartTimeout { .. }), "{silent}");
}

fn worker_ends_with_its_runtime() {
    let runtime = crate::system::runtime();
    let worker = runtime.block_on(spawn());
    drop(runtime);
    let second = crate::system::runtime();
    let error = second.block_on(worker.dump()).unwrap_err();
    assert!(matches!(error, RequestError::WorkerClosed { .. }), "{error}");
    let pid = worker.pid();
    second.block_on(within(Duration::from_secs(1), "the worker is gone", || !is_running(pid)));
}
