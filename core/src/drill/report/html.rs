//! The report as one page that needs nothing but itself: no script, no font, no picture from elsewhere.

use std::fmt::Write as _;

use super::picture;
use super::story::{FaultStory, Report};
use super::text::{counts, latency, number, setting, then};
use crate::api::drill::DifferenceInfo;
use crate::markup::escaped;

const STYLE: &str = "\
:root{--paper:#fff;--ink:#1d2330;--soft:#5b6475;--rule:#d9dee7;--sent:#1565c0;--received:#2e7d32;--fault:#b3261e;--shade:#f6cfcb;--bar:#7a8aa8;--bar2:#a9b5cb;--client:#e0a030;--good:#2e7d32}
@media(prefers-color-scheme:dark){:root{--paper:#14171d;--ink:#e6e9ef;--soft:#9aa4b5;--rule:#333a47;--sent:#64b5f6;--received:#81c784;--fault:#ff8a80;--shade:#4a2526;--bar:#7184a8;--bar2:#4c5a78;--client:#d9a441;--good:#81c784}}
@media print{:root{--paper:#fff;--ink:#000;--soft:#333;--rule:#bbb;--sent:#1565c0;--received:#2e7d32;--fault:#b3261e;--shade:#f6cfcb;--bar:#7a8aa8;--bar2:#a9b5cb;--client:#e0a030;--good:#1b5e20}section{break-inside:avoid}*{print-color-adjust:exact}}
body{background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1.2rem 0 .2rem}
p{margin:.3rem 0}.soft{color:var(--soft)}.pass{color:var(--good);font-weight:600}.fail{color:var(--fault);font-weight:600}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--rule);vertical-align:top}th{color:var(--soft);font-weight:600}td.n,th.n{text-align:right}
svg{width:100%;height:auto;display:block;margin:.5rem 0}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}svg .end{text-anchor:end}svg .mid{text-anchor:middle}
.grid{stroke:var(--rule);fill:none}.line{fill:none;stroke-width:1.5}.line.sent{stroke:var(--sent)}.line.received{stroke:var(--received);stroke-dasharray:4 2}
svg tspan.sent{fill:var(--sent)}svg tspan.received{fill:var(--received)}.latency{stroke:var(--bar);fill:none;stroke-width:1.2}.outage{fill:var(--shade)}
path.fault{stroke:var(--fault);fill:none;stroke-dasharray:2 2}svg text.fault{fill:var(--fault);font-weight:600}
.step.s0{fill:var(--bar)}.step.s1{fill:var(--bar2)}.client.s0{fill:var(--client)}.client.s1{fill:var(--client);opacity:.75}svg text.in{fill:var(--paper)}
";

/// The report as HTML.
pub(super) fn html(report: &Report, against: &[DifferenceInfo]) -> String {
    let (class, word) = verdict(report.passed());
    let title = format!("{} on {} of {}", report.name, report.group, report.cluster);
    let title = escaped(&title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}: {word}</title>\n<style>{STYLE}</style></head>\n<body>\n\
         <h1>{title}: <span class=\"{class}\">{word}</span></h1>\n<p class=\"soft\">{}</p>\n<p>{}</p>\n<p>{}</p>\n",
        escaped(&setting(report)),
        escaped(&counts(report)),
        escaped(&latency(report))
    );
    let _ = writeln!(
        out,
        "<section><h2>Over time</h2>\n{}</section>",
        picture::timeline(report)
    );
    checks(&mut out, report);
    faults(&mut out, report);
    for (index, fault) in report.faults.iter().enumerate() {
        steps(&mut out, index, fault);
    }
    comparison(&mut out, against);
    out.push_str("</body></html>\n");
    out
}

const fn verdict(passed: bool) -> (&'static str, &'static str) {
    match passed {
        true => ("pass", "PASSED"),
        false => ("fail", "FAILED"),
    }
}

fn checks(out: &mut String, report: &Report) {
    out.push_str("<section><h2>Checks</h2>\n<table>\n");
    for check in &report.checks {
        let (class, word) = verdict(check.passed);
        let _ = writeln!(
            out,
            "<tr><td class=\"{class}\">{word}</td><td>{}</td><td>{}</td></tr>",
            escaped(&check.name),
            escaped(&check.text)
        );
    }
    out.push_str("</table></section>\n");
}

fn faults(out: &mut String, report: &Report) {
    out.push_str("<section><h2>Faults</h2>\n<table>\n<tr><th>fault</th><th>node</th><th>hit</th><th class=\"n\">at s</th><th class=\"n\">outage ms</th><th>then</th></tr>\n");
    for fault in &report.faults {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{:.1}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escaped(&fault.kind),
            escaped(&fault.node),
            escaped(&fault.target),
            fault.at_ms / 1_000.0,
            number(fault.outage_ms),
            escaped(&then(fault))
        );
    }
    out.push_str("</table></section>\n");
}

fn steps(out: &mut String, index: usize, fault: &FaultStory) {
    if fault.phases.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "<section><h3>{} {}: the steps back to service</h3>\n{}<table>\n<tr><th class=\"n\">ms</th><th>step</th><th>on</th><th>why</th></tr>",
        index + 1,
        escaped(&fault.kind),
        picture::failover(fault)
    );
    for phase in &fault.phases {
        let _ = writeln!(
            out,
            "<tr><td class=\"n\">{:.1}</td><td>{}</td><td>{}</td><td class=\"soft\">{}</td></tr>",
            phase.elapsed_ms,
            escaped(&phase.phase),
            escaped(&phase.node),
            escaped(&phase.detail)
        );
    }
    out.push_str("</table></section>\n");
}

fn comparison(out: &mut String, against: &[DifferenceInfo]) {
    if against.is_empty() {
        return;
    }
    out.push_str("<section><h2>Compared with the earlier drill</h2>\n<table>\n<tr><th>figure</th><th class=\"n\">before</th><th class=\"n\">after</th><th>verdict</th></tr>\n");
    for row in against {
        let class = match row.verdict.as_str() {
            "better" => "pass",
            "worse" => "fail",
            _ => "soft",
        };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"{class}\">{}</td></tr>",
            escaped(&row.figure),
            number(row.before),
            number(row.after),
            row.verdict
        );
    }
    out.push_str("</table></section>\n");
}

#[cfg(test)]
mod tests {
    use super::super::compare::compare;
    use super::super::story::sample;
    use super::*;

    #[test]
    fn the_page_asks_nothing_of_a_network() {
        let report = sample::report();
        let page = html(&report, &compare(&report, &report));
        for word in [
            "http:", "https:", "src=", "href=", "url(", "<script", "@import",
        ] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("FAILED"), "{page}");
        assert!(page.contains("because &lt;it&gt; is so"), "{page}");
    }

    #[test]
    fn the_body_is_well_formed() {
        let report = sample::report();
        let page = html(&report, &compare(&report, &report));
        let body = page.split_once("<body>").unwrap().1;
        let body = body.split_once("</body>").unwrap().0;
        let text = format!("<body>{body}</body>");
        let document = roxmltree::Document::parse(&text).unwrap();
        let pictures = document.descendants().filter(|n| n.has_tag_name("svg"));
        assert_eq!(
            pictures.count(),
            2,
            "the timeline, and the fault with steps"
        );
    }
}
