//! A request to its verb.
//!
//! Invariant: each request is in one of the four lists below (`tests/tests/control` sends one of each).

use std::ops::ControlFlow;

use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::request::Command;

use crate::control::{Answer, Subject, consumer, observer, producer, router, transport, webrtc, worker};
use crate::media::Tables;
use crate::turn::Turn;

/// Carries out one request. An error changes nothing.
pub(crate) fn dispatch(mut of: Subject<'_>, command: Command, turn: &mut Turn<'_>) -> Answer {
    let mut next = of_worker(&mut of, command, turn);
    for list in [of_transports, of_streams, of_observers] {
        match next {
            ControlFlow::Continue(command) => next = list(of.tables, command, turn),
            ControlFlow::Break(answer) => return answer,
        }
    }
    next.break_value().unwrap_or_else(|| {
        Err(CommandError::new(ErrorKind::Unsupported, "this worker does not carry out this request"))
    })
}

/// The answer of the list that has the request; else the request, for the next list.
type Listed = ControlFlow<Answer, Command>;

fn of_worker(of: &mut Subject<'_>, command: Command, turn: &mut Turn<'_>) -> Listed {
    let answer = match command {
        Command::CloseWorker => worker::close(of.closing, turn),
        Command::DumpWorker => worker::dump(of, turn),
        Command::GetResourceUsage => worker::resource_usage(of.shell),
        Command::GetMetrics => worker::metrics(of, turn),
        Command::UpdateSettings { log_level, log_tags } => worker::update_settings(log_level, log_tags, turn),
        Command::Drain { .. } => worker::drain(),
        Command::Tap { transport, .. } => worker::tap(of.tables, transport),
        Command::CreateRouter { router } => router::create(of.tables, router, turn),
        Command::CloseRouter { router } => router::close(of.tables, router, turn),
        Command::DumpRouter { router } => router::dump(of.tables, router),
        other => return ControlFlow::Continue(other),
    };
    ControlFlow::Break(answer)
}

fn of_transports(tables: &mut Tables, command: Command, turn: &mut Turn<'_>) -> Listed {
    let answer = match command {
        Command::CreatePlainTransport { router, transport, options } => {
            transport::create_plain(tables, router, transport, &options, turn)
        }
        Command::ConnectPlainTransport { transport, options } => {
            transport::connect_plain(tables, transport, &options, turn)
        }
        Command::CloseTransport { transport } => transport::close(tables, transport, turn),
        Command::DumpTransport { transport } => transport::dump(tables, transport),
        Command::GetTransportStats { transport } => transport::stats(tables, transport, turn),
        Command::SetMaxIncomingBitrate { transport, bitrate } => {
            transport::set_max_incoming_bitrate(tables, transport, bitrate, turn)
        }
        Command::WebRtc(command) => webrtc::dispatch(tables, &command, turn),
        other => return ControlFlow::Continue(other),
    };
    ControlFlow::Break(answer)
}

/// Producers and consumers.
fn of_streams(tables: &mut Tables, command: Command, turn: &mut Turn<'_>) -> Listed {
    let answer = match command {
        produce @ Command::Produce { .. } => producer::produce(tables, produce, turn),
        Command::CloseProducer { producer } => producer::close(tables, producer, turn),
        Command::DumpProducer { producer } => producer::dump(tables, producer),
        Command::GetProducerStats { producer } => producer::stats(tables, producer, turn),
        Command::PauseProducer { producer } => producer::pause(tables, producer, turn),
        Command::ResumeProducer { producer } => producer::resume(tables, producer, turn),
        Command::EnableProducerTrace { producer, types } => producer::trace(tables, producer, &types),
        consume @ Command::Consume { .. } => consumer::consume(tables, consume, turn),
        Command::CloseConsumer { consumer } => consumer::close(tables, consumer, turn),
        Command::DumpConsumer { consumer } => consumer::dump(tables, consumer),
        Command::GetConsumerStats { consumer } => consumer::stats(tables, consumer, turn),
        Command::PauseConsumer { consumer } => consumer::pause(tables, consumer, turn),
        Command::ResumeConsumer { consumer } => consumer::resume(tables, consumer, turn),
        Command::RequestKeyFrame { consumer } => consumer::request_key_frame(tables, consumer, turn),
        Command::SetConsumerPriority { consumer: id, priority: to } => consumer::set_priority(tables, id, to),
        Command::EnableConsumerTrace { consumer, types } => consumer::trace(tables, consumer, &types),
        other => return ControlFlow::Continue(other),
    };
    ControlFlow::Break(answer)
}

fn of_observers(tables: &mut Tables, command: Command, turn: &mut Turn<'_>) -> Listed {
    let answer = match command {
        Command::CreateAudioLevelObserver { router, observer, options } => {
            observer::create_audio_level(tables, router, observer, &options)
        }
        Command::CreateActiveSpeakerObserver { router, observer, interval_ms } => {
            observer::create_active_speaker(tables, router, observer, interval_ms)
        }
        Command::CloseObserver { observer } => observer::close(tables, observer),
        Command::DumpObserver { observer } => observer::dump(tables, observer),
        Command::PauseObserver { observer } => observer::pause(tables, observer, turn),
        Command::ResumeObserver { observer } => observer::resume(tables, observer, turn),
        Command::AddObservedProducer { observer, producer } => {
            observer::add_producer(tables, observer, producer, turn)
        }
        Command::RemoveObservedProducer { observer, producer } => {
            observer::remove_producer(tables, observer, producer, turn)
        }
        other => return ControlFlow::Continue(other),
    };
    ControlFlow::Break(answer)
}
