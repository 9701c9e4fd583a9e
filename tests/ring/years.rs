//! Ten years of a ring: restarts, missed passes, clocks that step, settings that change, certificates that are renewed.
//! At every moment every simulated application encrypts, with no fallback, and reads everything that any has ever written.

use jiff::SignedDuration;
use proptest::{prelude::*, test_runner::RngSeed};
use tokencache_operator::data_protection::ring::rotation::RotationPolicy;

use crate::{
    application::{DAY, HOUR, RUNTIMES, Runtime},
    world::{Lead, START, Trouble, World},
};

/// The same cases in every run; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for others.
pub fn config(cases: u32) -> ProptestConfig {
    let asked = |name: &str| std::env::var(name).is_ok();
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: if asked("PROPTEST_CASES") { default.cases } else { cases },
        rng_seed: if asked("PROPTEST_RNG_SEED") { default.rng_seed } else { RngSeed::Fixed(6) },
        failure_persistence: None,
        ..default
    }
}

#[derive(Debug, Clone)]
enum Event {
    Down(SignedDuration),
    /// The operator's clock steps by so much, and is set right after a while.
    ClockStep(SignedDuration, SignedDuration),
    Settings(RotationPolicy),
    Restart(usize),
    RotateAtOnce {
        revoke: bool,
    },
    RenewCertificate,
}

fn rotation() -> impl Strategy<Value = RotationPolicy> {
    prop_oneof![
        3 => Just(RotationPolicy::default()),
        4 => (7_i32..400, 48_i32..168).prop_map(|(every, ahead)| RotationPolicy::new(DAY * every, HOUR * ahead, false).unwrap()),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let minutes = |range: std::ops::Range<i64>| range.prop_map(SignedDuration::from_mins);
    let step = prop_oneof![minutes(-30..30), minutes(-5000..5000), minutes(-600_000..600_000)];
    prop_oneof![
        3 => (1_i32..400).prop_map(|days| Event::Down(DAY * days)),
        4 => (step, minutes(1..5000)).prop_map(|(step, lasts)| Event::ClockStep(step, lasts)),
        2 => rotation().prop_map(Event::Settings),
        2 => (0_usize..6).prop_map(Event::Restart),
        1 => any::<bool>().prop_map(|revoke| Event::RotateAtOnce { revoke }),
        2 => Just(Event::RenewCertificate),
    ]
}

/// What happens, each some time after the one before.
fn decade() -> impl Strategy<Value = Vec<(SignedDuration, Event)>> {
    prop::collection::vec(((2_i64..24 * 300).prop_map(SignedDuration::from_hours), event()), 1..40)
}

fn happen(world: &mut World, event: &Event) -> Result<(), Trouble> {
    match event {
        Event::Down(duration) => world.be_down(*duration)?,
        Event::ClockStep(step, lasts) => {
            let end = world.bearable(world.now + *lasts);
            world.clock_error = *step;
            world.may_mint += 2;
            world.pass()?;
            world.run_until(end)?;
            world.clock_error = SignedDuration::ZERO;
        }
        Event::Settings(rotation) => {
            world.rotation = *rotation;
            world.may_mint += 1;
        }
        Event::Restart(application) => world.restart(*application),
        Event::RotateAtOnce { revoke } => world.rotate_at_once(*revoke)?,
        Event::RenewCertificate => world.renew_certificate()?,
    }
    world.pass()
}

proptest! {
    #![proptest_config(config(16))]

    #[test]
    fn at_every_moment_of_ten_years_every_application_encrypts_and_reads_what_any_has_written(
        first in rotation(),
        decade in decade(),
        seed in any::<u64>(),
    ) {
        let fleet = [RUNTIMES, RUNTIMES].concat();
        let end = START + DAY * 3653;
        let mut shortest = first.every();
        let outcome = (|| {
            let mut world = World::new(&fleet, first, Lead::Kept, seed)?;
            // A ring this young cannot tell a wrong clock from a right one.
            world.run_until(START + DAY * 4)?;
            for (after, event) in &decade {
                let at = world.now + *after;
                if at >= end {
                    break;
                }
                world.run_until(at)?;
                happen(&mut world, event)?;
                shortest = shortest.min(world.rotation.every());
                world.check_count(shortest)?;
            }
            world.run_until(end)?;
            world.check_count(shortest)
        })();
        prop_assert_eq!(outcome, Ok(()));
    }
}

fn undisturbed(runtimes: &[Runtime], rotation: RotationPolicy, lead: Lead) -> Result<World, Trouble> {
    let mut world = World::new(runtimes, rotation, lead, 1)?;
    world.run_until(START + DAY * 3653)?;
    Ok(world)
}

#[test]
fn an_undisturbed_ring_gets_one_key_a_period() {
    for (every, keys) in [(7, 521..=523), (30, 121..=123), (90, 40..=42), (365, 10..=11)] {
        let rotation = RotationPolicy::new(DAY * every, HOUR * 72, false).unwrap();
        let world = undisturbed(&RUNTIMES, rotation, Lead::Kept).map_err(|trouble| format!("{trouble:?}")).unwrap();
        assert!(keys.contains(&world.minted.len()), "{every}: {}", world.minted.len());
    }
}

#[test]
fn without_a_lead_every_simulated_application_is_in_trouble_so_that_the_simulation_can_tell() {
    for runtime in RUNTIMES {
        let outcome = undisturbed(&[runtime; 4], RotationPolicy::default(), Lead::NoneAndBackdated).map(|_| ());
        assert!(matches!(outcome, Err(Trouble::CannotDecrypt(of, _)) if of == runtime), "{runtime:?}: {outcome:?}");
    }
}

#[test]
fn a_key_that_says_how_young_it_is_is_let_be_by_net_9_and_by_no_other() {
    for runtime in RUNTIMES {
        let outcome = undisturbed(&[runtime; 4], RotationPolicy::default(), Lead::None).map(|_| ());
        assert_eq!(outcome.is_ok(), runtime == Runtime::Net9, "{runtime:?}: {outcome:?}");
    }
    let outcome = undisturbed(&RUNTIMES, RotationPolicy::default(), Lead::None).map(|_| ());
    assert!(matches!(outcome, Err(Trouble::CannotDecrypt(..))), "{outcome:?}");
}
