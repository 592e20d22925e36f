//! Entities made, used and closed at random: ten thousand requests against a model of what must exist.
//!
//! The model knows routers, transports, producers and consumers, what belongs to whom and what each request must answer,
//! refusals included: ids in use and of nobody, of another kind or router, SSRCs that are taken, kinds that do not fit, a
//! second connect. Media flows meanwhile. Now and then everything is dumped and compared. At the end all of it is gone.

mod actions;
mod checks;
mod model;

use super::{Scenario, Tally};
use actions::Story;

/// See the module.
pub(super) const SCENARIO: Scenario = Scenario {
    name: "create_and_close",
    proves: "whatever is made and closed in whatever order, every reply is what a model says, and nothing is left",
    run,
};

fn run(seed: u64) -> Tally {
    let mut story = Story::begins(seed);
    for operation in 0..OPERATIONS {
        story.does_anything();
        if operation.is_multiple_of(20) {
            story.media_flows();
        }
        if operation.is_multiple_of(500) {
            story.compares_everything();
        }
    }
    story.compares_everything();
    story.closes_everything();
    story.ends()
}

const OPERATIONS: u32 = 10_000;
