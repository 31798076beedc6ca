//! What came out: medians over the rounds as a table, and every single figure as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::latency::{Percentiles, median};
use super::row::{Cores, Measured, Row, System};

/// Everything measured so far.
#[derive(Clone, Debug, Default)]
pub struct Report {
    rows: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    row: Row,
    floor: Vec<Measured>,
    hamq: Vec<Measured>,
}

impl Line {
    fn value(of: &[Measured]) -> Option<f64> {
        median(of.iter().map(|m| m.value))
    }

    fn latency(of: &[Measured]) -> Option<Percentiles> {
        let all: Vec<Percentiles> = of.iter().filter_map(|m| m.latency).collect();
        Some(Percentiles {
            p50: median(all.iter().map(|p| p.p50))?,
            p99: median(all.iter().map(|p| p.p99))?,
            p999: median(all.iter().map(|p| p.p999))?,
        })
    }

    fn cores(of: &[Measured]) -> Option<Cores> {
        let all: Vec<Cores> = of.iter().filter_map(|m| m.cores).collect();
        Some(Cores {
            server: median(all.iter().map(|c| c.server))?,
            client: median(all.iter().map(|c| c.client))?,
            others: median(all.iter().map(|c| c.others))?,
        })
    }

    /// HAMQ's figure as a multiple of the floor's.
    fn ratio(&self) -> Option<f64> {
        let (hamq, floor) = (Self::value(&self.hamq)?, Self::value(&self.floor)?);
        (floor > 0.0).then(|| hamq / floor)
    }

    fn is_met(&self) -> Option<bool> {
        let hamq = Self::value(&self.hamq)?;
        let floor = Self::value(&self.floor);
        self.row.aim.is_met(self.row.unit, hamq, floor)
    }

    fn cells(&self) -> [String; 9] {
        let unit = self.row.unit;
        let figure = |of: &[Measured]| Self::value(of).map_or("-".to_owned(), |v| unit.show(v));
        let latency = Self::latency(&self.hamq)
            .map(|p| format!("{:.0} / {:.0} / {:.0}", p.p50, p.p99, p.p999));
        let cores = Self::cores(&self.hamq).map(|c| format!("{:.2} + {:.2}", c.server, c.client));
        let met = match self.is_met() {
            None => "",
            Some(true) => "yes",
            Some(false) => "NO",
        };
        [
            format!("{}: {}", self.row.workload, self.row.work),
            figure(&self.floor),
            figure(&self.hamq),
            self.ratio().map_or("-".to_owned(), |r| format!("{r:.2}")),
            self.row.aim.show(unit),
            met.to_owned(),
            latency.unwrap_or_default(),
            cores.unwrap_or_default(),
            self.hamq.last().map_or(String::new(), |m| m.note.clone()),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "workload": self.row.workload,
            "work": self.row.work,
            "unit": self.row.unit.name(),
            "floor": Self::value(&self.floor),
            "hamq": Self::value(&self.hamq),
            "ratio": self.ratio(),
            "aim": self.row.aim.show(self.row.unit),
            "met": self.is_met(),
            "floor_runs": self.floor.iter().map(run_json).collect::<Vec<_>>(),
            "hamq_runs": self.hamq.iter().map(run_json).collect::<Vec<_>>(),
        })
    }
}

fn run_json(run: &Measured) -> Value {
    let latency = |p: Percentiles| json!({"p50_us": p.p50, "p99_us": p.p99, "p999_us": p.p999});
    let cores = |c: Cores| json!({"server": c.server, "client": c.client, "others": c.others});
    json!({
        "value": run.value,
        "latency": run.latency.map(latency),
        "cores": run.cores.map(cores),
        "note": run.note,
    })
}

const HEAD: [&str; 9] = [
    "work",
    "floor",
    "hamq",
    "ratio",
    "aim",
    "met",
    "p50 / p99 / p99.9 us",
    "cores server + client",
    "note",
];

impl Report {
    /// Takes one run's figure; the first of a row decides its place.
    pub fn add(&mut self, row: Row, system: System, measured: Measured) {
        let known = self.rows.iter().position(|line| line.row == row);
        let index = known.unwrap_or_else(|| {
            self.rows.push(Line {
                row,
                floor: Vec::new(),
                hamq: Vec::new(),
            });
            self.rows.len() - 1
        });
        let line = &mut self.rows[index];
        match system {
            System::Floor => line.floor.push(measured),
            System::Hamq => line.hamq.push(measured),
        }
    }

    /// The table, in Markdown, columns padded; columns that nothing fills are left out.
    #[must_use]
    pub fn table(&self) -> String {
        let mut lines: Vec<[String; 9]> = vec![HEAD.map(str::to_owned)];
        lines.extend(self.rows.iter().map(Line::cells));
        let filled = |column: &usize| lines[1..].iter().any(|cells| !cells[*column].is_empty());
        let columns: Vec<usize> = (0..HEAD.len()).filter(filled).collect();
        let width = |c: usize| lines.iter().map(|cells| cells[c].len()).max().unwrap_or(0);
        let mut out = String::new();
        for (index, cells) in lines.iter().enumerate() {
            let padded = columns
                .iter()
                .map(|&c| format!(" {:<1$} ", cells[c], width(c)));
            let _ = writeln!(out, "|{}|", padded.collect::<Vec<_>>().join("|"));
            if index == 0 {
                let rules = columns.iter().map(|&c| "-".repeat(width(c) + 2));
                let _ = writeln!(out, "|{}|", rules.collect::<Vec<_>>().join("|"));
            }
        }
        out
    }

    /// What others took from the machine meanwhile: median and most, in cores.
    #[must_use]
    pub fn disturbance(&self) -> Option<(f64, f64)> {
        let runs = self.rows.iter().flat_map(|l| l.floor.iter().chain(&l.hamq));
        let others: Vec<f64> = runs.filter_map(|m| Some(m.cores?.others)).collect();
        let most = others.iter().copied().fold(0.0, f64::max);
        Some((median(others)?, most))
    }

    /// How many rows have an aim, and how many meet it.
    #[must_use]
    pub fn aims(&self) -> (usize, usize) {
        let judged: Vec<bool> = self.rows.iter().filter_map(Line::is_met).collect();
        (judged.iter().filter(|met| **met).count(), judged.len())
    }

    /// Every row with every run.
    #[must_use]
    pub fn json(&self) -> Value {
        self.rows.iter().map(Line::json).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::Unit;
    use super::*;

    #[test]
    fn rounds_are_joined_by_their_median_and_held_against_the_floor() {
        let row = || Row::new("c", "16 senders", Unit::PerSecond).times_floor(1.0);
        let mut report = Report::default();
        for value in [10.0, 1000.0, 30.0] {
            report.add(row(), System::Hamq, Measured::of(value));
            report.add(row(), System::Floor, Measured::of(20.0));
        }
        let table = report.table();
        let line = table.lines().last().unwrap();
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let expected = [
            "",
            "c: 16 senders",
            "20/s",
            "30/s",
            "1.50",
            ">= 1.00 x floor",
            "yes",
            "",
        ];
        assert_eq!(cells, expected);
        assert_eq!(report.aims(), (1, 1));
        assert_eq!(report.json()[0]["hamq_runs"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn what_others_took_is_said() {
        let mut report = Report::default();
        let mut run = Measured::of(1.0);
        run.cores = Some(Cores {
            server: 1.0,
            client: 0.5,
            others: 0.25,
        });
        report.add(Row::new("a", "x", Unit::Micros), System::Hamq, run);
        assert_eq!(report.disturbance(), Some((0.25, 0.25)));
    }
}
