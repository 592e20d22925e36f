//! A request to its verb.

use tidegate_protocol::request::Command;

use crate::control::{Answer, Subject, consumer, observer, producer, router, transport, webrtc, worker};
use crate::turn::Turn;

/// Carries out one request. An error changes nothing.
pub(crate) fn dispatch(of: Subject<'_>, command: Command, turn: &mut Turn<'_>) -> Answer {
    let tables = &mut *of.tables;
    match command {
        Command::CloseWorker => worker::close(of.closing),
        Command::DumpWorker => worker::dump(&of, turn),
        Command::GetResourceUsage => worker::resource_usage(of.shell),
        Command::GetMetrics => worker::metrics(&of, turn),
        Command::UpdateSettings { log_level, log_tags } => worker::update_settings(log_level, log_tags, turn),
        Command::Drain { .. } => worker::drain(),
        Command::Tap { transport, .. } => worker::tap(tables, transport),
        Command::CreateRouter { router } => router::create(tables, router),
        Command::CloseRouter { router } => router::close(tables, router, turn),
        Command::DumpRouter { router } => router::dump(tables, router),
        Command::CreatePlainTransport { router, transport, options } => {
            transport::create_plain(tables, router, transport, &options, turn)
        }
        Command::ConnectPlainTransport { transport, options } => {
            transport::connect_plain(tables, transport, &options, turn)
        }
        Command::CloseTransport { transport } => transport::close(tables, transport, turn),
        Command::DumpTransport { transport } => transport::dump(tables, transport),
        Command::GetTransportStats { transport } => transport::stats(tables, transport, turn),
        produce @ Command::Produce { .. } => producer::produce(tables, produce, turn),
        Command::CloseProducer { producer } => producer::close(tables, producer, turn),
        Command::DumpProducer { producer } => producer::dump(tables, producer),
        Command::GetProducerStats { producer } => producer::stats(tables, producer, turn),
        Command::PauseProducer { producer } => producer::pause(tables, producer, turn),
        Command::ResumeProducer { producer } => producer::resume(tables, producer, turn),
        consume @ Command::Consume { .. } => consumer::consume(tables, consume, turn),
        Command::CloseConsumer { consumer } => consumer::close(tables, consumer, turn),
        Command::DumpConsumer { consumer } => consumer::dump(tables, consumer),
        Command::GetConsumerStats { consumer } => consumer::stats(tables, consumer, turn),
        Command::PauseConsumer { consumer } => consumer::pause(tables, consumer, turn),
        Command::ResumeConsumer { consumer } => consumer::resume(tables, consumer, turn),
        Command::RequestKeyFrame { consumer } => consumer::request_key_frame(tables, consumer, turn),
        Command::SetConsumerPriority { consumer: id, priority: to } => consumer::set_priority(tables, id, to),
        Command::SetMaxIncomingBitrate { transport, bitrate } => {
            transport::set_max_incoming_bitrate(tables, transport, bitrate, turn)
        }
        Command::EnableProducerTrace { producer, types } => producer::trace(tables, producer, &types),
        Command::EnableConsumerTrace { consumer, types } => consumer::trace(tables, consumer, &types),
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
        Command::WebRtc(command) => webrtc::dispatch(&command),
    }
}
