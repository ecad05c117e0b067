//! Every order in which two or three nodes can read, hold, ask, write, stall and die, at an issuer that punishes the second
//! use of a token by ending the grant, with a person who may sign in again in between. What is asserted at each end: a
//! grant is lost only where a token that the issuer gave was cut off before it was written, and the account says so then.
//! A question is taken to reach the issuer while its hold lasts: it has ten seconds, and a hold is taken over after more.
//! That the explorer would notice is shown by taking the rules away one by one.

use std::collections::HashMap;
use std::time::Duration;

use super::{After, Hold, Reply, Turn, Writing, after, may_ask, turn, writing};
use crate::kernel::clock::Millis;

/// A refresh token: which sign-in it comes from, and the how-manieth it is.
type Token = (u8, u8);

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    Nothing,
    /// A hold is taken over as soon as somebody wants it.
    Patience,
    /// Taking hold does not look at the version that was read.
    VersionAtHold,
    /// Taking hold does not look at who held it.
    SeenAtHold,
    /// A refusal is written over whatever stands there, by whomever. (While the writer holds the account, its version moves
    /// only in ways that the hold tells as well, so that the two guards cover for each other.)
    CareAtBreak,
    /// A new token is written over whatever stands there.
    VersionAtKeep,
    /// Who was stopped for long asks as if nothing had been.
    CareAfterStall,
    /// Whoever writes ends the hold, whosever it is.
    OthersHold,
    /// How the last call ended is not remembered where it is not known.
    Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Held {
    Nobody,
    Left,
    By(u8, u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    Read { version: u8, token: Token, held: Held },
    Holding { version: u8, token: Token, interrupted: bool },
    Heard { version: u8, interrupted: bool, reply: Reply, given: Option<Token> },
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Node {
    phase: Phase,
    /// How often it may still begin.
    rounds: u8,
    /// The number of its current hold, so that no two are the same.
    hold: u8,
    /// Whether it has said nothing for so long that others may think it dead.
    stalled: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    version: u8,
    token: Token,
    held: Held,
    /// Broken, and whether by an interruption.
    broken: Option<bool>,
    /// The live token of each sign-in.
    live: [Option<u8>; 2],
    nodes: Vec<Node>,
    crashes: u8,
    stalls: u8,
    losses: u8,
    repairs: u8,
    /// Whether a token that was given was cut off before it was written.
    cut_off: bool,
}

const LONG: Duration = Duration::from_secs(60);

impl World {
    fn new(nodes: usize, rounds: u8, crashes: u8, stalls: u8, losses: u8, repairs: u8) -> Self {
        let node = Node { phase: Phase::Idle, rounds, hold: 0, stalled: false };
        Self {
            version: 0,
            token: (0, 0),
            held: Held::Nobody,
            broken: None,
            live: [Some(0), None],
            nodes: vec![node; nodes],
            crashes,
            stalls,
            losses,
            repairs,
            cut_off: false,
        }
    }

    /// The issuer's side of one use of a token.
    fn spend(&mut self, (family, number): Token) -> Option<Token> {
        let live = &mut self.live[usize::from(family)];
        if *live == Some(number) {
            *live = Some(number + 1);
            return Some((family, number + 1));
        }
        *live = None;
        None
    }

    /// Whether the rules let somebody take a hold.
    fn turn(&self, held: Held, without: Without) -> Turn {
        let (hold, unchanged) = match held {
            Held::Nobody => (None, Duration::ZERO),
            Held::Left => (Some(Hold { by: String::new(), until: Millis(0) }), Duration::ZERO),
            Held::By(node, number) => {
                // One that lives renews its hold, so nobody sees it unchanged.
                let holder = &self.nodes[usize::from(node)];
                let works = matches!(holder.phase, Phase::Holding { .. } | Phase::Heard { .. });
                let gone = !works || holder.stalled || holder.hold != number;
                let patient = without != Without::Patience;
                let hold = Hold { by: format!("{node}.{number}"), until: Millis(1) };
                (Some(hold), if gone || !patient { LONG } else { Duration::ZERO })
            }
        };
        turn(hold.as_ref(), unchanged)
    }

    /// Everything that node `at` may do next.
    fn steps(&self, at: usize, without: Without) -> Vec<World> {
        let mut next = Vec::new();
        let node = self.nodes[at];
        let with = |change: &mut dyn FnMut(&mut World)| {
            let mut world = self.clone();
            change(&mut world);
            world
        };
        match node.phase {
            Phase::Dead => return next,
            Phase::Idle => {
                if node.rounds > 0 && self.broken.is_none() {
                    next.push(with(&mut |world| {
                        let (version, token, held) = (world.version, world.token, world.held);
                        world.nodes[at].rounds -= 1;
                        world.nodes[at].phase = Phase::Read { version, token, held };
                    }));
                }
                return next;
            }
            Phase::Read { version, token, held } => {
                let Turn::Take { interrupted } = self.turn(held, without) else {
                    next.push(with(&mut |world| world.nodes[at].phase = Phase::Idle));
                    return next;
                };
                let fits = (self.version == version || without == Without::VersionAtHold)
                    && (self.held == held || without == Without::SeenAtHold);
                next.push(with(&mut |world| {
                    world.nodes[at].phase = Phase::Idle;
                    if fits {
                        let number = node.hold + 1;
                        let node = u8::try_from(at).unwrap();
                        world.held = Held::By(node, number);
                        world.nodes[at].hold = number;
                        let interrupted = interrupted && without != Without::Memory;
                        world.nodes[at].phase = Phase::Holding { version, token, interrupted };
                    }
                }));
                return next;
            }
            Phase::Holding { version, token, interrupted } => {
                let since = if node.stalled { LONG } else { Duration::ZERO };
                if !may_ask(since) && without != Without::CareAfterStall {
                    next.push(with(&mut |world| {
                        world.nodes[at].phase = Phase::Idle;
                        world.nodes[at].stalled = false;
                    }));
                    return next;
                }
                next.push(with(&mut |world| {
                    let given = world.spend(token);
                    let reply = if given.is_some() { Reply::Good } else { Reply::Refused };
                    world.nodes[at].phase = Phase::Heard { version, interrupted, reply, given };
                }));
                if self.losses > 0 {
                    // The answer is lost, or the question never arrived.
                    for arrives in [true, false] {
                        next.push(with(&mut |world| {
                            world.losses -= 1;
                            if arrives && world.spend(token).is_some() {
                                world.cut_off = true;
                            }
                            let reply = Reply::Silent { maybe_used: true };
                            world.nodes[at].phase = Phase::Heard { version, interrupted, reply, given: None };
                        }));
                    }
                }
            }
            Phase::Heard { version, interrupted, reply, given } => {
                next.push(with(&mut |world| {
                    world.write(at, version, writing(reply, interrupted), given, without);
                }));
            }
        }
        if self.crashes > 0 {
            next.push(with(&mut |world| {
                world.crashes -= 1;
                world.cut_off |= matches!(node.phase, Phase::Heard { given: Some(_), .. });
                world.nodes[at].phase = Phase::Dead;
            }));
        }
        if self.stalls > 0 && !node.stalled {
            next.push(with(&mut |world| {
                world.stalls -= 1;
                // A stall between reply and writing is as a death, if somebody takes over meanwhile.
                world.cut_off |= matches!(node.phase, Phase::Heard { given: Some(_), .. });
                world.nodes[at].stalled = true;
            }));
        }
        next
    }

    fn write(&mut self, at: usize, version: u8, writing: Writing, given: Option<Token>, without: Without) {
        let node = self.nodes[at];
        let me = Held::By(u8::try_from(at).unwrap(), node.hold);
        let (holding, guard) = (self.held == me, writing.guard());
        let loose = match writing {
            Writing::Keep => without == Without::VersionAtKeep,
            Writing::Break { .. } => without == Without::CareAtBreak,
            Writing::LetGo { .. } => false,
        };
        let holder =
            guard.holder && !(without == Without::CareAtBreak && matches!(writing, Writing::Break { .. }));
        let fits = (!guard.version || loose || self.version == version) && (!holder || holding);
        self.nodes[at].phase = Phase::Idle;
        self.nodes[at].stalled = false;
        match writing {
            Writing::Keep if fits => {
                self.token = given.expect("a token");
                self.broken = None;
                self.version += 1;
            }
            Writing::Break { interrupted } if fits => {
                self.broken = Some(interrupted);
                self.version += 1;
            }
            _ => {}
        }
        match after(writing, holding, fits) {
            After::AsItIs if without == Without::OthersHold && fits => self.held = Held::Nobody,
            After::AsItIs => {}
            After::Noted if without != Without::Memory => self.held = Held::Left,
            After::Noted | After::Free => self.held = Held::Nobody,
        }
    }

    /// The person signs in again, whatever stands there.
    fn repaired(&self) -> Option<World> {
        (self.repairs > 0).then(|| {
            let mut world = self.clone();
            world.repairs -= 1;
            world.version += 1;
            world.token = (1, 0);
            world.live[1] = Some(0);
            world.held = Held::Nobody;
            world.broken = None;
            world.cut_off = false;
            world
        })
    }

    /// What is wrong once everybody has finished and one more node, alone and undisturbed, has looked.
    fn wrong(&self) -> Option<String> {
        let mut world = self.clone();
        if world.broken.is_none() {
            world.nodes.push(Node { phase: Phase::Idle, rounds: 1, hold: 0, stalled: false });
            (world.crashes, world.stalls, world.losses) = (0, 0, 0);
            let last = world.nodes.len() - 1;
            for _ in 0..4 {
                if let Some(next) = world.steps(last, Without::Nothing).pop() {
                    world = next;
                }
            }
        }
        let live = world.live[usize::from(world.token.0)] == Some(world.token.1);
        match world.broken {
            None if live => None,
            None => Some("an account is thought to work whose grant is dead".to_owned()),
            Some(_) if live => Some("an account was broken whose grant lives".to_owned()),
            Some(_) if !world.cut_off => Some("a grant was lost though nothing was cut off".to_owned()),
            Some(false) => Some("a grant that was cut off does not say so".to_owned()),
            Some(true) => None,
        }
    }
}

/// Walks through everything; gives how many states there were, or the way to one in which something is wrong.
fn explore(start: World, without: Without) -> Result<usize, String> {
    let mut from: HashMap<World, Option<World>> = HashMap::from([(start.clone(), None)]);
    let mut open = vec![start];
    while let Some(world) = open.pop() {
        let mut next: Vec<_> = (0..world.nodes.len()).flat_map(|at| world.steps(at, without)).collect();
        let over = world.nodes.iter().all(|node| matches!(node.phase, Phase::Idle | Phase::Dead));
        if over && let Some(wrong) = world.wrong() {
            let mut way = vec![format!("{world:?}")];
            let mut at = &world;
            while let Some(Some(before)) = from.get(at) {
                way.push(format!("{before:?}"));
                at = before;
            }
            way.reverse();
            return Err(format!("{wrong}:\n{}", way.join("\n")));
        }
        next.extend(world.repaired());
        for one in next {
            if !from.contains_key(&one) {
                from.insert(one.clone(), Some(world.clone()));
                open.push(one);
            }
        }
    }
    Ok(from.len())
}

/// Two nodes with everything that can go wrong, and three with less of it.
fn starts() -> Vec<World> {
    vec![World::new(2, 2, 1, 1, 1, 1), World::new(3, 1, 1, 1, 1, 0), World::new(2, 3, 1, 1, 0, 0)]
}

#[test]
fn in_no_order_of_events_is_a_grant_lost_that_was_not_cut_off() {
    for start in starts() {
        let nodes = start.nodes.len();
        let states = explore(start, Without::Nothing).unwrap_or_else(|wrong| panic!("{wrong}"));
        println!("{nodes} nodes: {states} states");
        assert!(states > 5_000, "{states} states");
    }
}

#[test]
fn the_explorer_notices_when_a_rule_is_missing() {
    for without in [
        Without::Patience,
        Without::VersionAtHold,
        Without::SeenAtHold,
        Without::CareAtBreak,
        Without::VersionAtKeep,
        Without::CareAfterStall,
        Without::OthersHold,
        Without::Memory,
    ] {
        let noticed = starts().into_iter().find_map(|start| explore(start, without).err());
        assert!(noticed.is_some(), "nobody misses {without:?}");
    }
}
