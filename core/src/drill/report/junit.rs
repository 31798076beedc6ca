//! The report for a build server: a test case for each check.

use std::fmt::Write as _;

use super::story::Report;
use super::text::{counts, setting};
use crate::markup::escaped;

/// The report as JUnit's XML.
pub(super) fn junit(report: &Report) -> String {
    let failures = report.checks.iter().filter(|check| !check.passed).count();
    let started = report.started.to_string();
    let stamp = started.trim_end_matches('Z');
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{:.1}\" timestamp=\"{stamp}\">",
        escaped(&report.name),
        report.checks.len(),
        report.seconds
    );
    let class = escaped(&format!("drill.{}.{}", report.cluster, report.group));
    for check in &report.checks {
        let (name, text) = (escaped(&check.name), escaped(&check.text));
        let _ = match check.passed {
            true => writeln!(out, "  <testcase classname=\"{class}\" name=\"{name}\"/>"),
            false => writeln!(
                out,
                "  <testcase classname=\"{class}\" name=\"{name}\"><failure message=\"{text}\"/></testcase>"
            ),
        };
    }
    let about = format!("{}\n{}", setting(report), counts(report));
    let _ = writeln!(
        out,
        "  <system-out>{}</system-out>\n</testsuite>",
        escaped(&about)
    );
    out
}

#[cfg(test)]
mod tests {
    use super::super::story::sample;
    use super::*;

    #[test]
    fn it_is_xml_with_a_case_for_each_check() {
        let xml = junit(&sample::report());
        let document = roxmltree::Document::parse(&xml).unwrap();
        let suite = document.root_element();
        assert_eq!(suite.attribute("tests"), Some("2"));
        assert_eq!(suite.attribute("failures"), Some("1"));
        assert_eq!(
            suite.attribute("timestamp"),
            Some("2023-11-14T22:13:20.000")
        );
        let failure = document
            .descendants()
            .find(|node| node.has_tag_name("failure"))
            .unwrap();
        assert_eq!(
            failure.attribute("message"),
            Some("1 acknowledged message & more")
        );
        assert_eq!(failure.parent().unwrap().attribute("name"), Some("NoLoss"));
    }
}
