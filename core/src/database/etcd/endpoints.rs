//! Which member to ask next. Pure.
//!
//! ```text
//!              failed                     pause over, or all others rest too
//!  healthy ───────────────► resting ────────────────────────────────────────► tried
//!     ▲   (pause doubles, up to a bound)                                        │
//!     └────────────────────────────── answered ─────────────────────────────────┘
//! ```
//!
//! The member that answered last is asked again: connections stay warm, and etcd's members forward to
//! their leader anyway.

use std::time::Duration;

/// Rest after the first failure.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Longest rest: members without a leader say so at once, and an election is over sooner than they rest twice.
const PAUSE_MAX: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, Default)]
struct Health {
    failures: u32,
    rests_until: Duration,
}

/// The members with their health.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    health: Vec<Health>,
    current: usize,
}

impl Endpoints {
    /// `first` is asked first.
    pub(super) fn new(count: usize, first: usize) -> Self {
        Self {
            health: vec![Health::default(); count.max(1)],
            current: first % count.max(1),
        }
    }

    /// The member to ask, and how long to wait before.
    pub(super) fn choose(&self, now: Duration) -> (usize, Duration) {
        let count = self.health.len();
        let turn = (0..count).map(|step| (self.current + step) % count);
        let mut best = (self.current, Duration::MAX);
        for index in turn {
            let wait = self.health[index].rests_until.saturating_sub(now);
            if wait < best.1 {
                best = (index, wait);
            }
        }
        best
    }

    /// The member to ask beside one that takes its time: the next that does not rest.
    pub(super) fn beside(&self, index: usize, now: Duration) -> Option<usize> {
        let count = self.health.len();
        let mut others = (1..count).map(|step| (index + step) % count);
        others.find(|other| self.health[*other].rests_until <= now)
    }

    pub(super) fn answered(&mut self, index: usize) {
        self.health[index] = Health::default();
        self.current = index;
    }

    pub(super) fn failed(&mut self, index: usize, now: Duration) {
        let health = &mut self.health[index];
        let pause = PAUSE_MIN * 2_u32.saturating_pow(health.failures.min(8));
        health.failures = health.failures.saturating_add(1);
        health.rests_until = now + pause.min(PAUSE_MAX);
        if self.current == index {
            self.current = (index + 1) % self.health.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn who_answers_is_asked_again() {
        let mut endpoints = Endpoints::new(3, 1);
        assert_eq!(endpoints.choose(millis(0)), (1, millis(0)));
        endpoints.answered(1);
        assert_eq!(endpoints.choose(millis(9)), (1, millis(0)));
    }

    #[test]
    fn a_failure_goes_to_the_next_at_once() {
        let mut endpoints = Endpoints::new(3, 0);
        endpoints.failed(0, millis(0));
        assert_eq!(endpoints.choose(millis(0)), (1, millis(0)));
        endpoints.failed(1, millis(0));
        assert_eq!(endpoints.choose(millis(0)), (2, millis(0)));
        endpoints.answered(2);
        assert_eq!(endpoints.choose(millis(5000)), (2, millis(0)));
    }

    #[test]
    fn when_all_have_failed_the_one_that_rests_shortest_is_tried() {
        let mut endpoints = Endpoints::new(2, 0);
        endpoints.failed(0, millis(0));
        endpoints.failed(1, millis(0));
        endpoints.failed(0, millis(60));
        assert_eq!(endpoints.choose(millis(60)), (1, millis(0)));
        endpoints.failed(1, millis(60));
        assert_eq!(endpoints.choose(millis(70)).1, millis(90));
    }

    #[test]
    fn beside_a_member_the_next_healthy_one_is_asked() {
        let mut endpoints = Endpoints::new(3, 0);
        assert_eq!(endpoints.beside(2, millis(0)), Some(0));
        endpoints.failed(0, millis(0));
        assert_eq!(endpoints.beside(2, millis(0)), Some(1));
        endpoints.failed(1, millis(0));
        assert_eq!(endpoints.beside(2, millis(0)), None);
        assert_eq!(endpoints.beside(2, millis(50)), Some(0));
        assert_eq!(Endpoints::new(1, 0).beside(0, millis(0)), None);
    }

    #[test]
    fn the_rest_is_bounded() {
        let mut endpoints = Endpoints::new(1, 0);
        for _ in 0..100 {
            endpoints.failed(0, millis(0));
        }
        assert_eq!(endpoints.choose(millis(0)), (0, PAUSE_MAX));
        endpoints.answered(0);
        assert_eq!(endpoints.choose(millis(0)), (0, millis(0)));
    }
}
