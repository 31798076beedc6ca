//! The network between nodes: directed links that can be cut.

/// Which node hears which.
pub struct Network {
    cut: Vec<Vec<u64>>,
}

impl Network {
    pub fn new(nodes: usize) -> Self {
        Self {
            cut: vec![vec![0; nodes]; nodes],
        }
    }

    /// `to` does not hear `from` until then.
    pub fn cut(&mut self, from: usize, to: usize, until: u64) {
        let known = &mut self.cut[from][to];
        *known = (*known).max(until);
    }

    pub fn hears(&self, from: usize, to: usize, now: u64) -> bool {
        self.cut[from][to] <= now
    }

    pub fn heal(&mut self) {
        for row in &mut self.cut {
            row.fill(0);
        }
    }
}
