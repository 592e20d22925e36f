//! Ends: of the worker, of requests, of this host's interest. Nothing hangs.

use std::time::Duration;

use tidegate_protocol::ids::RequestId;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::fake::{Fake, LONG, greeted, greeted_with, plain_options, settle};
use crate::error::{ExitReason, RequestError};
use crate::{RouterOptions, Worker, WorkerEvent};

/// Starts requests that nobody answers, until `fake` has seen them all.
async fn start_requests(worker: &Worker, fake: &mut Fake, count: usize) -> JoinSet<RequestError> {
    let mut requests = JoinSet::new();
    for _ in 0..count {
        let worker = worker.clone();
        requests.spawn(async move { worker.get_metrics().await.unwrap_err() });
    }
    for _ in 0..count {
        fake.request().await;
    }
    requests
}

#[tokio::test]
async fn all_pending_requests_fail_at_once_with_the_signal_that_ended_the_worker() {
    let (worker, mut fake) = greeted_with("free(): invalid pointer\n").await;
    let mut events = worker.events();
    let mut requests = start_requests(&worker, &mut fake, 1000).await;
    fake.die(ExitReason::Signal(11));
    let all = async {
        while let Some(error) = requests.join_next().await {
            let RequestError::WorkerClosed { exit: Some(exit) } = error.unwrap() else { panic!("no exit") };
            assert_eq!(exit.reason, ExitReason::Signal(11));
            assert_eq!(exit.last_words, "free(): invalid pointer");
        }
    };
    timeout(Duration::from_millis(900), all).await.expect("at once");
    assert_eq!(worker.died().await.map(|exit| exit.reason), Some(ExitReason::Signal(11)));
    let later = worker.dump().await.unwrap_err();
    assert_eq!(
        later.to_string(),
        "the worker was ended by signal 11; its last words: free(): invalid pointer"
    );
    assert!(matches!(events.next().await, Some(WorkerEvent::Output { .. })));
    assert!(matches!(events.next().await, Some(WorkerEvent::Died(_))));
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn requests_that_wait_for_room_fail_too() {
    let (worker, mut fake) = greeted().await;
    let mut requests = JoinSet::new();
    // Many times what the in-memory pipe and the queue hold.
    for _ in 0..20_000 {
        let worker = worker.clone();
        requests.spawn(async move { worker.get_metrics().await.unwrap_err() });
    }
    settle().await;
    fake.die(ExitReason::Code(70));
    let all = async {
        while let Some(error) = requests.join_next().await {
            assert!(matches!(error.unwrap(), RequestError::WorkerClosed { exit: Some(_) }));
        }
    };
    timeout(Duration::from_secs(5), all).await.expect("none hangs");
}

#[tokio::test(start_paused = true)]
async fn worker_that_closes_its_pipe_and_stays_is_killed() {
    let (worker, mut fake) = greeted().await;
    fake.close_pipes();
    let exit = timeout(LONG, worker.died()).await.unwrap().unwrap();
    assert_eq!(exit.reason, ExitReason::Signal(9));
}

#[tokio::test]
async fn last_answers_of_a_dying_worker_count() {
    let (worker, mut fake) = greeted().await;
    let asking = tokio::spawn({
        let worker = worker.clone();
        async move { worker.create_router(RouterOptions::default()).await }
    });
    let (id, _) = fake.request().await;
    fake.answer(id, Ok(Reply::Done)).await;
    fake.die(ExitReason::Code(0));
    assert!(asking.await.unwrap().is_ok());
    assert_eq!(worker.died().await.map(|exit| exit.reason), Some(ExitReason::Code(0)));
}

#[tokio::test]
async fn garbage_from_the_worker_ends_it_and_says_why() {
    let frames: [&[u8]; 3] = [&[0xff; 40], &[], &[1, 0, 0, 0]];
    for garbage in frames {
        let (worker, mut fake) = greeted().await;
        let mut requests = start_requests(&worker, &mut fake, 3).await;
        fake.say_raw(garbage).await;
        while let Some(error) = requests.join_next().await {
            let RequestError::WorkerClosed { exit: Some(exit) } = error.unwrap() else { panic!("no exit") };
            assert!(exit.killed_for.is_some_and(|cause| cause.contains("not a message")));
        }
        assert_eq!(fake.ended().await, ExitReason::Signal(9));
    }
}

#[tokio::test]
async fn hostile_length_from_the_worker_ends_it() {
    let (worker, mut fake) = greeted().await;
    fake.write(&u32::MAX.to_le_bytes()).await;
    let exit = worker.died().await.unwrap();
    assert!(exit.killed_for.is_some_and(|cause| cause.contains("4294967295 bytes")));
}

#[tokio::test]
async fn answers_that_nobody_asked_for_end_the_worker() {
    let (worker, mut fake) = greeted().await;
    fake.answer(RequestId(5), Ok(Reply::Done)).await;
    let exit = worker.died().await.unwrap();
    assert_eq!(exit.killed_for.as_deref(), Some("it answered a request that was never made"));

    let (worker, mut fake) = greeted().await;
    let mut requests = start_requests(&worker, &mut fake, 2).await;
    fake.answer(RequestId(2), Ok(Reply::Done)).await;
    let exit = worker.died().await.unwrap();
    assert_eq!(exit.killed_for.as_deref(), Some("it answered requests out of order"));
    while requests.join_next().await.is_some() {}
}

#[tokio::test]
async fn answer_of_another_kind_is_an_error_and_no_more() {
    let (worker, mut fake) = greeted().await;
    let (answer, ()) = tokio::join!(worker.get_metrics(), fake.agree(1));
    assert_eq!(answer, Err(RequestError::UnexpectedReply));
    assert!(!worker.is_closed());
}

#[tokio::test(start_paused = true)]
async fn request_without_answer_times_out_and_the_worker_stays() {
    let (worker, mut fake) = greeted().await;
    let error = worker.get_metrics().await.unwrap_err();
    assert_eq!(error, RequestError::Timeout { after: Duration::from_secs(10) });
    let (id, _) = fake.request().await;
    fake.answer(id, Ok(Reply::Done)).await;
    // The late answer is passed over and the next one finds its request.
    let (router, ()) = tokio::join!(worker.create_router(RouterOptions::default()), fake.agree(1));
    router.unwrap();
}

#[tokio::test(start_paused = true)]
async fn entity_whose_creation_timed_out_is_closed_when_the_answer_comes() {
    let (worker, mut fake) = greeted().await;
    let (router, ()) = tokio::join!(worker.create_router(RouterOptions::default()), fake.agree(1));
    let router = router.unwrap();
    router.create_plain_transport(plain_options()).await.unwrap_err();
    let (id, command) = fake.request().await;
    let Command::CreatePlainTransport { transport, .. } = command else { panic!("{command:?}") };
    let tuples = tidegate_protocol::response::PlainTuples {
        tuple: super::fake::tuple(None),
        rtcp_tuple: None,
        srtp_parameters: None,
    };
    fake.answer(id, Ok(Reply::PlainTransport(tuples))).await;
    assert_eq!(fake.request().await.1, Command::CloseTransport { transport });
}

#[tokio::test]
async fn close_fails_pending_requests_closes_the_pipe_and_is_no_death() {
    let (worker, mut fake) = greeted().await;
    let mut requests = start_requests(&worker, &mut fake, 10).await;
    worker.close();
    assert!(worker.is_closed());
    while let Some(error) = requests.join_next().await {
        assert_eq!(error.unwrap(), RequestError::WorkerClosed { exit: None });
    }
    assert_eq!(worker.dump().await, Err(RequestError::WorkerClosed { exit: None }));
    assert_eq!(fake.heard().await, None);
    fake.die(ExitReason::Code(0));
    assert_eq!(worker.closed().await.reason, ExitReason::Code(0));
    assert_eq!(worker.died().await, None);
}

#[tokio::test(start_paused = true)]
async fn worker_that_ignores_the_end_of_its_pipe_is_killed() {
    let (worker, fake) = greeted().await;
    let closed = worker.closed();
    drop(worker);
    let exit = timeout(Duration::from_secs(3), closed).await.expect("after two seconds");
    assert_eq!(exit.reason, ExitReason::Signal(9));
    drop(fake);
}

#[test]
fn requests_fail_at_once_when_the_runtime_of_the_worker_is_shut_down() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let (worker, _fake) = first.block_on(greeted());
    drop(first);
    let error = runtime().block_on(worker.dump()).unwrap_err();
    let RequestError::WorkerClosed { exit: Some(exit) } = error else { panic!("{error}") };
    assert_eq!(exit.reason, ExitReason::Unknown);
}
