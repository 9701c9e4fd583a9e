//! What is said of the limits for clients.

use tokencache_operator::redis::look::{
    answer::Answer,
    drift::{Correction, Drift, Parameter},
};

use super::pods::running;
use super::seen::{Seen, well};

fn drift(setting: &'static str, found: &str, correction: Correction) -> Vec<Drift> {
    vec![Drift { parameter: Parameter::Clients(setting), found: found.to_owned(), correction, corrected_at: None }]
}

#[test]
fn what_is_said_of_limits_for_clients() {
    use Correction::{Corrected, Ineffective, Refused, Withheld};
    let policy = |seen: Seen, what: &str| seen.said_of("EvictionPolicyVerified", what);
    let refused = || Refused("NOPERM User operator has no permissions to run the 'config|set' command".to_owned());
    let crowded = Answer { is_crowded: true, ..well() };
    let told = [
        policy(Seen::answer(drift("maxclients", "10000", Corrected)), "more clients were allowed"),
        policy(Seen::answer(drift("maxclients", "10", Withheld)).paused(), "fewer clients are allowed, and paused"),
        policy(Seen::answer(drift("maxclients", "20000", refused())), "more clients are allowed, and it was refused"),
        policy(Seen::answer(drift("timeout", "0", refused())), "connections stay for ever"),
        policy(
            Seen::answer(drift("maxmemory-clients", "0", Ineffective("0".to_owned()))),
            "their memory is not limited",
        ),
        Seen::pod(&running(true)).outcome(Ok(crowded)).said_of("MemorySufficient", "more are connected than may be"),
    ];
    insta::assert_snapshot!(told.join(""));
}
