//! The whole host against a worker of our own making, in one process.

mod fake;

mod cascades;
mod death;
mod greeting;
mod negotiation;
mod observers;
mod order;
mod webrtc;
