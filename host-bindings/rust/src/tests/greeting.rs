//! Starting: who is let in, and what is said to those who are not.

use tidegate_protocol::PROTOCOL_VERSION;
use tidegate_protocol::codec;
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::message::{FromWorker, ToWorker};
use tidegate_protocol::response::Reply;

use super::fake::{greeted, hello, launched, spawn_after};
use crate::error::{ExitReason, SpawnError};
use crate::{Worker, WorkerSettings};

fn content(message: &FromWorker) -> Vec<u8> {
    let mut frame = Vec::new();
    codec::encode_frame(message, &mut frame).unwrap();
    frame.split_off(4)
}

#[tokio::test]
async fn both_sides_greet_with_their_version() {
    let (launched, mut fake) = launched("");
    fake.say(&FromWorker::Hello(hello(PROTOCOL_VERSION))).await;
    let worker = Worker::attach(launched, &WorkerSettings::default()).await.unwrap();
    assert_eq!((worker.pid(), worker.version()), (4711, "1.2.3"));
    assert_eq!(worker.features().collect::<Vec<_>>(), ["fake"]);
    let Some(ToWorker::HelloReply(reply)) = fake.heard().await else { panic!("no greeting") };
    assert_eq!(reply.protocol_version, PROTOCOL_VERSION);
    assert!(reply.host.starts_with("tidegate-rust "), "{}", reply.host);
}

#[tokio::test]
async fn greeting_that_comes_in_pieces_is_understood() {
    let (launched, mut fake) = launched("");
    let mut frame = Vec::new();
    codec::encode_frame(&FromWorker::Hello(hello(PROTOCOL_VERSION)), &mut frame).unwrap();
    let spawning = tokio::spawn(async { Worker::attach(launched, &WorkerSettings::default()).await });
    for byte in frame {
        fake.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(spawning.await.unwrap().unwrap().pid(), 4711);
}

#[tokio::test]
async fn worker_of_another_version_is_refused_and_killed() {
    let (result, fake) = spawn_after(&content(&FromWorker::Hello(hello(PROTOCOL_VERSION + 1)))).await;
    let error = result.unwrap_err();
    assert!(
        matches!(error, SpawnError::Version { host: PROTOCOL_VERSION, worker } if worker == PROTOCOL_VERSION + 1)
    );
    assert!(error.to_string().contains("install worker and host of one version"), "{error}");
    assert_eq!(fake.ended().await, ExitReason::Signal(9));
}

#[tokio::test]
async fn worker_of_another_version_is_told_from_garbage_even_if_its_greeting_has_grown() {
    let mut grown = content(&FromWorker::Hello(hello(PROTOCOL_VERSION + 7)));
    grown.extend([0xee; 100]);
    let (result, _) = spawn_after(&grown).await;
    assert!(matches!(result, Err(SpawnError::Version { .. })), "{result:?}");
}

#[tokio::test]
async fn first_message_that_is_no_greeting_is_refused() {
    let response = FromWorker::Response { id: RequestId(1), result: Ok(Reply::Done) };
    let garbage = vec![0xff; 64];
    let mut torn = content(&FromWorker::Hello(hello(PROTOCOL_VERSION)));
    torn.pop();
    for first in [content(&response), garbage, Vec::new(), torn] {
        let (result, fake) = spawn_after(&first).await;
        assert!(matches!(result, Err(SpawnError::Greeting(_))), "{first:?}: {result:?}");
        assert_eq!(fake.ended().await, ExitReason::Signal(9));
    }
}

#[tokio::test]
async fn program_that_prints_text_into_the_pipe_is_refused() {
    let (launched, mut fake) = launched("");
    fake.write(b"Hello, world! This is no frame.\n").await;
    let error = Worker::attach(launched, &WorkerSettings::default()).await.unwrap_err();
    assert!(matches!(&error, SpawnError::Greeting(cause) if cause.contains("frame")), "{error}");
}

#[tokio::test(start_paused = true)]
async fn silent_program_is_killed_when_its_time_is_up() {
    let (launched, fake) = launched("");
    let settings = WorkerSettings::default();
    let error = Worker::attach(launched, &settings).await.unwrap_err();
    assert!(matches!(error, SpawnError::StartTimeout { after } if after == settings.start_timeout));
    assert_eq!(fake.ended().await, ExitReason::Signal(9));
}

#[tokio::test]
async fn program_that_leaves_before_greeting_tells_code_and_last_words() {
    let (launched, mut fake) = launched("bad option --x\nsee --help\n");
    fake.die(ExitReason::Code(42));
    let error = Worker::attach(launched, &WorkerSettings::default()).await.unwrap_err();
    let sentence = error.to_string();
    assert!(sentence.contains("exited with code 42 (bad settings)"), "{sentence}");
    assert!(sentence.contains("bad option --x\nsee --help"), "{sentence}");
}

#[tokio::test]
async fn worker_is_open_after_its_greeting() {
    let (worker, _fake) = greeted().await;
    assert!(!worker.is_closed());
}
