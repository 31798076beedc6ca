//! The findings as a page to read and to print, and as JSON.

use std::fmt::Write;

use serde_json::{Value, json as object};

use super::check::CATEGORIES;
use super::verdict::{Checked, Outcome};
use crate::markup::escaped;

/// What a report shows first.
const OUTCOMES: [Outcome; 5] = [
    Outcome::Failed,
    Outcome::Warning,
    Outcome::Passed,
    Outcome::NotApplicable,
    Outcome::Cancelled,
];

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8886;--failed:#c0262d;--warning:#b26a00;--passed:#2a7d3f}\
@media(prefers-color-scheme:dark){:root{--failed:#ff7b80;--warning:#ffb454;--passed:#7fd694}}\
body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}\
th,td{border-bottom:1px solid var(--line);padding:.35rem .6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}\
.Failed{color:var(--failed);font-weight:600}.Warning{color:var(--warning);font-weight:600}.Passed{color:var(--passed)}\
small{opacity:.75}\
@media print{body{margin:0;max-width:none;font-size:10pt}tr{break-inside:avoid}thead{display:table-header-group}}";

/// How many findings have each outcome, the worst first.
fn counts(all: &[Checked]) -> Vec<(Outcome, usize)> {
    let count = |o: Outcome| all.iter().filter(|c| c.finding.outcome == o).count();
    OUTCOMES.into_iter().map(|o| (o, count(o))).collect()
}

/// A page that needs nothing but itself.
#[must_use]
pub fn html(cluster: &str, time: &str, all: &[Checked]) -> String {
    let title = format!("Validation of the cluster {}", escaped(cluster));
    let sums: Vec<_> = counts(all)
        .iter()
        .map(|(o, n)| format!("<span class={0}>{n} {0}</span>", o.name()))
        .collect();
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><h1>{title}</h1><p>{}</p><p>{}</p>",
        escaped(time),
        sums.join(" · ")
    );
    for category in CATEGORIES {
        let mut part: Vec<_> = all.iter().filter(|c| c.category == category).collect();
        part.sort_by_key(|c| std::cmp::Reverse(c.finding.outcome));
        let heading =
            "<table><thead><tr><th>Result<th>Check<th>Object<th>Found<th>What to do</thead>";
        let _ = write!(page, "<h2>{}</h2>{heading}", category.name());
        for c in part {
            page.push_str(&line(c));
        }
        page.push_str("</table>");
    }
    page.push_str("</html>\n");
    page
}

fn line(c: &Checked) -> String {
    let f = &c.finding;
    format!(
        "<tr><td class={0}>{0}<td>{1}<br><small>{2} ({3})</small><td>{4}<td>{5}<td>{6}",
        f.outcome.name(),
        escaped(c.name),
        escaped(c.description),
        escaped(c.source),
        escaped(&f.object),
        escaped(&f.detail),
        escaped(&f.advice)
    )
}

/// The same for programs.
#[must_use]
pub fn json(cluster: &str, time: &str, all: &[Checked]) -> String {
    let findings: Vec<Value> = all
        .iter()
        .map(|c| {
            object!({
                "Category": c.category.name(),
                "Name": c.name,
                "Description": c.description,
                "Source": c.source,
                "Object": c.finding.object,
                "Result": c.finding.outcome.name(),
                "Detail": c.finding.detail,
                "Advice": c.finding.advice,
            })
        })
        .collect();
    let sums: serde_json::Map<String, Value> = counts(all)
        .into_iter()
        .map(|(o, n)| (o.name().to_owned(), n.into()))
        .collect();
    let whole = object!({"Cluster": cluster, "Time": time, "Summary": sums, "Findings": findings});
    let mut text = format!("{whole:#}");
    text.push('\n');
    text
}
