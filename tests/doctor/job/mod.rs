//! Misconfigurations of a job: the first ✗ names the true cause, and its remedy makes the next run succeed.

mod approle;
mod behind;
mod login;
mod lost;
mod way;
mod way_tls;

use super::remedy;
use super::world::World;
use crate::support::{Space, bao};

/// How a case is cured.
pub enum Cure {
    /// By what the hint says, word for word.
    Hint,
    /// The hint says to unset this variable.
    Unset(&'static str),
    /// The hint names this variable; somebody who knows the right value sets it.
    Set(&'static str, fn(&World<'_>) -> String),
    /// The hint says this, and it is done outside of ci-creds and of Vault's configuration.
    Done(&'static str, fn(&mut World<'_>)),
}

/// What breaks the world that works.
pub enum Fault {
    By(fn(&mut World<'_>)),
    /// This variable with this value.
    Variable(&'static str, &'static str),
}

/// A misconfiguration.
pub struct Case {
    pub name: &'static str,
    pub fault: Fault,
    /// The step that must have the first ✗ (with --strict: or !), and what it says.
    pub step: &'static str,
    pub says: &'static str,
    pub cure: Cure,
}

/// The step and what it says; a variable and its value.
type Pair = (&'static str, &'static str);

/// One row of the tables.
pub const fn case(name: &'static str, breaks: fn(&mut World<'_>), (step, says): Pair, cure: Cure) -> Case {
    Case { name, fault: Fault::By(breaks), step, says, cure }
}

/// The same where a variable has a wrong value: the hint names it, and this is the right one.
pub const fn wrong(
    name: &'static str,
    (variable, value): Pair,
    (step, says): Pair,
    right: fn(&World<'_>) -> String,
) -> Case {
    Case { name, fault: Fault::Variable(variable, value), step, says, cure: Cure::Set(variable, right) }
}

/// The same where the hint says to unset the variable.
pub const fn surplus(name: &'static str, (variable, value): Pair, (step, says): Pair) -> Case {
    Case { name, fault: Fault::Variable(variable, value), step, says, cure: Cure::Unset(variable) }
}

/// The address of the server that works.
fn addr(world: &World<'_>) -> String {
    world.addr()
}

/// Back to that server.
fn back(world: &mut World<'_>) {
    world.env("VAULT_ADDR", world.addr());
}

/// Cases whose first fault is a !, which --strict makes one.
const STRICT: &str = "strict: ";

#[track_caller]
fn all(cases: &[Case]) {
    for case in cases {
        let space = Space::on(bao());
        one(case, World::new(&space));
    }
}

#[track_caller]
fn one(case: &Case, mut world: World<'_>) {
    let (name, strict) = (case.name, case.name.starts_with(STRICT));
    if strict {
        world.flag("--strict");
    }
    let healthy = world.report();
    assert!(healthy.first(strict).is_none(), "{name}: broken before: {:#}", healthy.body);
    match case.fault {
        Fault::By(breaks) => breaks(&mut world),
        Fault::Variable(variable, value) => world.env(variable, value),
    }
    let broken = world.report();
    let told = format!("{name}: {:#}", broken.body);
    let first = broken.first(strict).unwrap_or_else(|| panic!("nothing is wrong: {told}"));
    assert_eq!(first["id"], case.step, "{told}");
    assert!(first["seen"].as_str().unwrap().contains(case.says), "{told}");
    assert!([3, 4, 5, 6].contains(&broken.code), "{told}");
    let hint = first["hint"].as_str().unwrap_or_else(|| panic!("no remedy: {told}")).to_owned();
    match case.cure {
        Cure::Hint => remedy::apply(&mut world, &hint),
        Cure::Unset(variable) => {
            assert!(hint.contains(&format!("unset {variable}")), "{told}");
            world.unset(variable);
        }
        Cure::Set(variable, value) => {
            assert!(hint.contains(variable), "{told}");
            let value = value(&world);
            world.env(variable, value);
        }
        Cure::Done(text, cure) => {
            assert!(hint.contains(text), "{told}");
            cure(&mut world);
        }
    }
    let cured = world.report();
    assert!(cured.first(strict).is_none(), "{name}: not cured: {:#}\nbefore: {told}", cured.body);
    assert_eq!(cured.code, 0, "{name}: {:#}", cured.body);
}
