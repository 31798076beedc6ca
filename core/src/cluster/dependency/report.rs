//! The resources of groups and what they depend on, as a page with a picture of each group. Pure.
//!
//! A resource stands one column to the right of what it needs; an arrow leads from each resource to what it needs, dashed
//! where that is one of alternatives.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{DEPTH_MAX, Expression};
use crate::cluster::record::fold;
use crate::markup::escaped;

/// A resource as it is drawn.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Its type.
    pub resource_type: String,
    /// `Online` …
    pub state: String,
    /// What it depends on.
    pub depends_on: Expression,
}

const BOX: (usize, usize) = (210, 52);
const GAP: (usize, usize) = (70, 18);

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8889;--ok:#2a7d3f;--off:#777;--bad:#c0262d;--ink:#222;--paper:#fff}\
@media(prefers-color-scheme:dark){:root{--ok:#7fd694;--off:#aaa;--bad:#ff7b80;--ink:#ddd;--paper:#181818}}\
body{font:15px/1.45 system-ui,sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem;color:var(--ink);background:var(--paper)}\
svg{max-width:100%;height:auto}rect{fill:var(--paper);stroke:var(--off);stroke-width:1.5}\
.Online rect{stroke:var(--ok)}.Failed rect{stroke:var(--bad);stroke-width:3}\
text{fill:var(--ink);font:13px system-ui,sans-serif}.kind{font-size:11px;opacity:.75}\
path{fill:none;stroke:var(--ink);stroke-width:1.2;marker-end:url(#tip)}.or{stroke-dasharray:5 4}marker path{fill:var(--ink);stroke:none}\
table{border-collapse:collapse;margin:.5rem 0 2rem}th,td{border-bottom:1px solid var(--line);padding:.3rem .7rem;text-align:left}";

/// A page that needs nothing but itself.
#[must_use]
pub fn page(cluster: &str, time: &str, resources: &[Drawn]) -> String {
    let title = format!("Dependencies in the cluster {}", escaped(cluster));
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><h1>{title}</h1><p>{}. An arrow leads from a resource to what it needs; \
         dashed arrows lead to alternatives, one of which is enough.</p>",
        escaped(time)
    );
    let mut groups: BTreeMap<&str, Vec<&Drawn>> = BTreeMap::new();
    for resource in resources {
        groups.entry(&resource.group).or_default().push(resource);
    }
    for (group, members) in groups {
        let _ = write!(page, "<h2>{}</h2>{}", escaped(group), picture(&members));
        page.push_str("<table><thead><tr><th>Resource<th>Type<th>State<th>Depends on</thead>");
        for member in members {
            let _ = write!(
                page,
                "<tr><td>{}<td>{}<td>{}<td>{}",
                escaped(&member.name),
                escaped(&member.resource_type),
                escaped(&member.state),
                escaped(&member.depends_on.to_string())
            );
        }
        page.push_str("</table>");
    }
    page.push_str("</html>\n");
    page
}

/// How far each resource is from those that need nothing.
fn columns(members: &[&Drawn]) -> BTreeMap<String, usize> {
    let mut columns: BTreeMap<String, usize> = members.iter().map(|m| (fold(&m.name), 0)).collect();
    for _ in 0..members.len().min(DEPTH_MAX) {
        for member in members {
            let needed = member
                .depends_on
                .iter()
                .filter_map(|p| columns.get(&fold(p)));
            let own = needed.max().map_or(0, |column| column + 1);
            columns.insert(fold(&member.name), own.min(DEPTH_MAX));
        }
    }
    columns
}

fn picture(members: &[&Drawn]) -> String {
    let columns = columns(members);
    let mut filled: BTreeMap<usize, usize> = BTreeMap::new();
    let mut places: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for member in members {
        let key = fold(&member.name);
        let column = columns.get(&key).copied().unwrap_or(0);
        let row = filled.entry(column).or_default();
        // Every other column stands half a row lower, so that arrows pass between its resources.
        let lower = (column % 2) * (BOX.1 + GAP.1) / 2;
        let place = (
            column * (BOX.0 + GAP.0) + 2,
            *row * (BOX.1 + GAP.1) + lower + 2,
        );
        *row += 1;
        places.insert(key, place);
    }
    let width = filled
        .keys()
        .max()
        .map_or(0, |last| (last + 1) * (BOX.0 + GAP.0));
    let lowest = places.values().map(|(_, y)| *y).max();
    let height = lowest.map_or(0, |y| y + BOX.1 + GAP.1);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" width={width} role=img><defs><marker id=tip viewBox=\"0 0 8 8\" refX=7 refY=4 \
         markerWidth=7 markerHeight=7 orient=auto><path d=\"M0 0L8 4L0 8z\"/></marker></defs>"
    );
    for member in members {
        let Some(from) = places.get(&fold(&member.name)) else {
            continue;
        };
        for provider in member.depends_on.iter() {
            if let Some(to) = places.get(&fold(provider)) {
                svg.push_str(&arrow(
                    *from,
                    *to,
                    is_alternative(&member.depends_on, provider),
                ));
            }
        }
    }
    for member in members {
        if let Some(place) = places.get(&fold(&member.name)) {
            svg.push_str(&card(member, *place));
        }
    }
    svg.push_str("</svg>");
    svg
}

/// Whether the resource could do without this one.
fn is_alternative(expression: &Expression, provider: &str) -> bool {
    expression.holds(&mut |p| fold(p) != fold(provider))
}

fn arrow(from: (usize, usize), to: (usize, usize), or: bool) -> String {
    let (x1, y1) = (from.0, from.1 + BOX.1 / 2);
    let (x2, y2) = (to.0 + BOX.0, to.1 + BOX.1 / 2);
    let middle = usize::midpoint(x1, x2);
    let class = if or { " class=or" } else { "" };
    format!("<path{class} d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\"/>")
}

fn card(member: &Drawn, (x, y): (usize, usize)) -> String {
    let (width, height) = BOX;
    format!(
        "<g class=\"{}\"><rect x={x} y={y} width={width} height={height} rx=6 /><text x={} y={}>{}</text>\
         <text class=kind x={} y={}>{} · {}</text></g>",
        escaped(&member.state),
        x + 10,
        y + 22,
        escaped(&member.name),
        x + 10,
        y + 40,
        escaped(&member.resource_type),
        escaped(&member.state)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(name: &str, on: &str) -> Drawn {
        Drawn {
            name: name.to_owned(),
            group: "VS<1>".to_owned(),
            resource_type: "Any".to_owned(),
            state: "Online".to_owned(),
            depends_on: Expression::parse(on).unwrap(),
        }
    }

    #[test]
    fn resources_stand_behind_what_they_need_and_alternatives_are_dashed() {
        let all = [
            drawn("App", "([Name]) and ([Disk])"),
            drawn("Name", "([IP 1]) or ([IP 2])"),
            drawn("IP 1", ""),
            drawn("IP 2", ""),
            drawn("Disk", ""),
        ];
        let members: Vec<&Drawn> = all.iter().collect();
        let columns = columns(&members);
        assert_eq!(
            (columns["app"], columns["name"], columns["ip 2"]),
            (2, 1, 0)
        );
        let page = page("lab", "now", &all);
        assert_eq!(
            page.matches("<path d=").count(),
            2 + 1,
            "two arrows and the tip"
        );
        assert_eq!(page.matches("class=or").count(), 2);
        assert!(page.contains("<h2>VS&lt;1&gt;</h2>") && !page.contains("http"));
    }
}
