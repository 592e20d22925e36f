//! Lets a browser visit.
//!
//! Knows the command line of `tests/browsers/run.js`. Does not judge.

use std::time::Duration;

use libtest_mimic::Failed;
use tidegate_tests::visitor;

use crate::case::{Browser, Case, Counted};
use crate::echo::Echo;

/// Lets a browser visit `echo`; what it counted.
pub(crate) async fn run(case: &Case, echo: &Echo) -> Result<Counted, Failed> {
    let program = match case.browser {
        Browser::Chromium => visitor::chromium()?,
        Browser::Firefox => visitor::firefox()?,
    };
    let scene = case.described(&program, &echo.signalling, echo.through_udp_port);
    Ok(visitor::visit("run.js", &scene, PATIENCE).await?)
}

/// Several times what the longest visit takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(180);
