//! The pictures of the page: SVG that takes its colours from the page's style.

use std::fmt::Write as _;

use super::story::{FaultStory, Report};
use crate::api::drill::PhaseInfo;
use crate::markup::escaped;

/// The picture's width; the page scales it.
const WIDTH: f64 = 960.0;
/// Where the plots begin and end, from left to right.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 945.0;
/// The plot of throughput, from its top to its ground.
const RATE: (f64, f64) = (40.0, 190.0);
/// The plot of latency.
const LATENCY: (f64, f64) = (225.0, 345.0);
/// Points of a line at most; more slots than that are joined.
const POINTS_MAX: usize = 800;
/// Latencies shown: from 0.1 ms at the ground to 100 s at the top, in powers of ten.
const DECADES: f64 = 6.0;
/// The width of a letter in a bar.
const LABEL: f64 = 7.5;
/// Steps of a failover shown in its bar at most.
const STEPS_MAX: usize = 40;

/// Throughput and latency over time, with the faults.
pub(super) fn timeline(report: &Report) -> String {
    let chart = Chart::of(report);
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} 385\" role=\"img\" aria-label=\"throughput and latency over time\">\n"
    );
    outages(&mut out, report, &chart);
    grid(&mut out, &chart);
    line(&mut out, "received", &chart, &chart.received);
    line(&mut out, "sent", &chart, &chart.acknowledged);
    latencies(&mut out, &chart);
    faults(&mut out, report, &chart);
    out.push_str("</svg>\n");
    out
}

/// The columns of the picture.
struct Chart {
    seconds: f64,
    slot_s: f64,
    rate_max: f64,
    acknowledged: Vec<f64>,
    received: Vec<f64>,
    latency_ms: Vec<f64>,
}

impl Chart {
    fn of(report: &Report) -> Self {
        let timeline = &report.timeline;
        let joined = timeline.acknowledged.len().div_ceil(POINTS_MAX).max(1);
        let slot_s = small(timeline.slot_ms) * small(joined as u64) / 1_000.0;
        let rates = |counts: &[u64]| -> Vec<f64> {
            counts
                .chunks(joined)
                .map(|part| small(part.iter().sum()) / slot_s)
                .collect()
        };
        let acknowledged = rates(&timeline.acknowledged);
        let received = rates(&timeline.received);
        let highest = acknowledged.iter().chain(&received).copied();
        let latency = timeline.latency_max_ms.chunks(joined);
        Self {
            seconds: report
                .seconds
                .max(slot_s * small(acknowledged.len() as u64))
                .max(0.1),
            slot_s,
            rate_max: nice(highest.fold(1.0, f64::max)),
            latency_ms: latency
                .map(|part| part.iter().copied().fold(0.0, f64::max))
                .collect(),
            acknowledged,
            received,
        }
    }

    fn x(&self, seconds: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * (seconds / self.seconds).clamp(0.0, 1.0)
    }

    fn rate_y(&self, rate: f64) -> f64 {
        RATE.1 - (RATE.1 - RATE.0) * (rate / self.rate_max).clamp(0.0, 1.0)
    }
}

fn latency_y(ms: f64) -> f64 {
    let decades = (ms.max(0.1) / 0.1).log10();
    LATENCY.1 - (LATENCY.1 - LATENCY.0) * (decades / DECADES).clamp(0.0, 1.0)
}

/// The stretches without a successful send.
fn outages(out: &mut String, report: &Report, chart: &Chart) {
    for fault in &report.faults {
        let Some(outage) = fault.outage_ms else {
            continue;
        };
        let (begin, end) = stretch(fault, outage);
        let (from, to) = (chart.x(begin / 1_000.0), chart.x(end / 1_000.0));
        let _ = writeln!(
            out,
            "<rect class=\"outage\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{} {outage:.1} ms without a successful send</title></rect>",
            RATE.0,
            (to - from).max(1.0),
            LATENCY.1 - RATE.0,
            escaped(&fault.kind)
        );
    }
}

/// The outage ends with the first send that got through.
fn stretch(fault: &FaultStory, outage: f64) -> (f64, f64) {
    let first_send = fault
        .phases
        .iter()
        .find(|phase| phase.phase == "first send");
    let end = fault.at_ms + first_send.map_or(outage, |phase| phase.elapsed_ms);
    (end - outage, end)
}

fn grid(out: &mut String, chart: &Chart) {
    let (left, right) = (LEFT - 6.0, RIGHT);
    for part in [0.0, 0.5, 1.0] {
        let y = chart.rate_y(chart.rate_max * part);
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/><text class=\"end\" x=\"{left}\" y=\"{:.1}\">{:.0}</text>",
            y + 4.0,
            chart.rate_max * part
        );
    }
    for (ms, label) in [
        (0.1, "0.1 ms"),
        (10.0, "10 ms"),
        (1_000.0, "1 s"),
        (100_000.0, "100 s"),
    ] {
        let y = latency_y(ms);
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/><text class=\"end\" x=\"{left}\" y=\"{:.1}\">{label}</text>",
            y + 4.0
        );
    }
    let step = nice(chart.seconds / 10.0);
    let mut second = 0.0;
    while second <= chart.seconds {
        let _ = writeln!(
            out,
            "<text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">{} s</text>",
            chart.x(second),
            LATENCY.1 + 18.0,
            (second * 10.0).round() / 10.0
        );
        second += step;
    }
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{:.1}\">messages a second: <tspan class=\"sent\">acknowledged</tspan>, <tspan class=\"received\">received</tspan></text>",
        RATE.1 + 16.0
    );
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{:.1}\">the longest send of each moment, where it ended</text>",
        LATENCY.1 + 36.0
    );
}

fn line(out: &mut String, class: &str, chart: &Chart, rates: &[f64]) {
    let mut path = String::new();
    for (index, rate) in rates.iter().enumerate() {
        let from = chart.x(small(index as u64) * chart.slot_s);
        let to = chart.x(small(index as u64 + 1) * chart.slot_s);
        let first = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{first}{from:.1} {:.1}H{to:.1}", chart.rate_y(*rate));
    }
    let _ = writeln!(out, "<path class=\"line {class}\" d=\"{path}\"/>");
}

fn latencies(out: &mut String, chart: &Chart) {
    let mut path = String::new();
    for (index, ms) in chart
        .latency_ms
        .iter()
        .enumerate()
        .filter(|(_, ms)| **ms > 0.0)
    {
        let x = chart.x((small(index as u64) + 0.5) * chart.slot_s);
        let _ = write!(
            path,
            "M{x:.1} {:.1}V{:.1}",
            LATENCY.1,
            latency_y(*ms).min(LATENCY.1 - 1.0)
        );
    }
    let _ = writeln!(out, "<path class=\"latency\" d=\"{path}\"/>");
}

/// A line for each fault, its label one row lower when it would touch the one before.
fn faults(out: &mut String, report: &Report, chart: &Chart) {
    let mut free = [f64::MIN; 3];
    for (index, fault) in report.faults.iter().enumerate() {
        let x = chart.x(fault.at_ms / 1_000.0);
        let row = free.iter().position(|end| x > *end).unwrap_or(2);
        let label = format!("{} {}", index + 1, fault.kind);
        if let Some(end) = free.get_mut(row) {
            *end = x + 8.0 * small(label.len() as u64);
        }
        let y = 12.0 + 12.0 * small(row as u64);
        let _ = writeln!(
            out,
            "<path class=\"fault\" d=\"M{x:.1} {y:.1}V{:.1}\"/><text class=\"fault\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
            LATENCY.1,
            x + 3.0,
            escaped(&label)
        );
    }
}

/// The steps from a fault to service as one bar, the names above and below it.
pub(super) fn failover(fault: &FaultStory) -> String {
    let steps: Vec<&PhaseInfo> = fault
        .phases
        .iter()
        .filter(|phase| phase.phase != "outage")
        .take(STEPS_MAX)
        .collect();
    let last = steps
        .iter()
        .map(|phase| phase.elapsed_ms)
        .fold(0.0, f64::max);
    if last <= 0.0 {
        return String::new();
    }
    let x = |ms: f64| LEFT + (RIGHT - LEFT) * (ms / last).clamp(0.0, 1.0);
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} 46\" role=\"img\" aria-label=\"the steps after {}\">\n",
        escaped(&fault.kind)
    );
    let mut before = 0.0;
    for (index, phase) in steps.iter().enumerate() {
        let (from, to) = (x(before), x(phase.elapsed_ms));
        let class = if phase.node == "client" {
            "client"
        } else {
            "step"
        };
        let _ = writeln!(
            out,
            "<rect class=\"{class} s{}\" x=\"{from:.1}\" y=\"8\" width=\"{:.1}\" height=\"18\"><title>{} at {:.1} ms on {}: {}</title></rect>",
            index % 2,
            (to - from).max(0.5),
            escaped(&phase.phase),
            phase.elapsed_ms,
            escaped(&phase.node),
            escaped(&phase.detail)
        );
        if to - from > LABEL * small(phase.phase.chars().count() as u64) {
            let _ = writeln!(
                out,
                "<text class=\"in\" x=\"{:.1}\" y=\"21\">{}</text>",
                from + 4.0,
                escaped(&phase.phase)
            );
        }
        before = before.max(phase.elapsed_ms);
    }
    for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let class = if part < 1.0 { "mid" } else { "end" };
        let _ = writeln!(
            out,
            "<text class=\"{class}\" x=\"{:.1}\" y=\"42\">{:.0} ms</text>",
            x(last * part),
            last * part
        );
    }
    out.push_str("</svg>\n");
    out
}

/// The next of 1, 2, 5 and their tenfolds.
fn nice(value: f64) -> f64 {
    let power = 10.0_f64.powf(value.max(1e-3).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let step = steps.iter().find(|step| **step * power >= value * 0.999);
    step.unwrap_or(&10.0) * power
}

/// A count as a number to draw with; what is too large to draw is as large as can be drawn.
fn small(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::super::story::sample;
    use super::*;

    #[test]
    fn scales_are_round_numbers() {
        for (value, expected) in [
            (1.0, 1.0),
            (1.3, 2.0),
            (3.0, 5.0),
            (7.0, 10.0),
            (420.0, 500.0),
            (0.25, 0.5),
        ] {
            assert!(
                (nice(value) - expected).abs() < 1e-9,
                "{value}: {}",
                nice(value)
            );
        }
    }

    #[test]
    fn the_outage_ends_with_the_first_send() {
        let report = sample::report();
        assert_eq!(stretch(&report.faults[0], 310.5), (489.5, 800.0));
        assert_eq!(latency_y(0.0), LATENCY.1);
        assert_eq!(latency_y(1e9), LATENCY.0);
    }

    #[test]
    fn a_long_drill_has_no_more_points_than_can_be_seen() {
        let mut report = sample::report();
        report.timeline.slot_ms = 100;
        report.timeline.acknowledged = vec![1; 4_000];
        report.timeline.received = vec![1; 4_000];
        report.timeline.latency_max_ms = vec![1.0; 4_000];
        let chart = Chart::of(&report);
        assert!(chart.acknowledged.len() <= POINTS_MAX);
        assert!((chart.acknowledged[0] - 10.0).abs() < 1e-9);
        assert!((chart.seconds - 400.0).abs() < 1e-9);
    }

    #[test]
    fn pictures_are_xml_whatever_a_name_holds() {
        let mut report = sample::report();
        report.faults[0].kind = "<Kill> & \"more\"\u{1}".to_owned();
        let pictures = [timeline(&report), failover(&report.faults[0])];
        for picture in pictures {
            roxmltree::Document::parse(&picture).unwrap();
        }
        assert_eq!(failover(&report.faults[1]), "");
    }
}
