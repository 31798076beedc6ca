//! Which group a line of the cluster log is about.

use crate::cluster::record::fold;

/// The groups and resources that lines may name.
#[derive(Clone, Debug, Default)]
pub(super) struct Subjects {
    /// The groups.
    pub(super) groups: Vec<String>,
    /// The resources, each with its group.
    pub(super) members: Vec<(String, String)>,
}

impl Subjects {
    /// The group a line is about: the first whose name, or whose resource's name, it holds as a word.
    pub(super) fn group_of(&self, text: &str) -> Option<String> {
        let text = text.to_lowercase();
        let named = |name: &String| {
            text.split(|c: char| c.is_whitespace() || ":;,()".contains(c))
                .any(|word| word == fold(name))
                || (name.contains(' ') && text.contains(&fold(name)))
        };
        let group = self.groups.iter().find(|g| named(g)).cloned();
        group.or_else(|| {
            let member = self.members.iter().find(|(r, _)| named(r));
            member.map(|(_, g)| g.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Subjects;

    #[test]
    fn a_line_is_about_the_group_it_names_or_that_of_the_resource_it_names() {
        let subjects = Subjects {
            groups: vec!["VS1".to_owned(), "Print Room".to_owned()],
            members: vec![("VS1-Disk".to_owned(), "VS1".to_owned())],
        };
        let table = [
            ("claiming vs1 at epoch 3", Some("VS1")),
            ("VS1-Disk: mounted", Some("VS1")),
            ("print room moves to n2: asked", Some("Print Room")),
            ("claiming VS10 at epoch 3", None),
            ("node n1 joins", None),
        ];
        for (text, group) in table {
            assert_eq!(subjects.group_of(text).as_deref(), group, "{text}");
        }
    }
}
