//! What was probably meant by a name that does not exist.

/// Letters of a name that are compared.
const LETTERS_MAX: usize = 64;
/// Farther off, a long name is another name: no `Remove-Cluster` for `Remove-ClusterNode`.
const REACH_MAX: usize = 3;

/// The one of `known` that is nearest to `typed`, if it is near enough to have been meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let reach = (1 + typed.chars().count() / 4).min(REACH_MAX);
    known
        .into_iter()
        .map(|name| (distance(&typed, &name.to_lowercase()), name))
        .filter(|(far, _)| *far <= reach)
        .min_by_key(|(far, _)| *far)
        .map(|(_, name)| name)
}

/// How many letters must be put in, left out, exchanged, or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| text.chars().take(LETTERS_MAX).collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut older = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let change = above[j] + usize::from(a[i] != b[j]);
            let mut best = change.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(older[j - 1] + 1);
            }
            row.push(best);
        }
        older = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let known = ["Move-ClusterGroup", "Get-ClusterGroup", "Get-ClusterNode"];
        assert_eq!(
            nearest("Mvoe-ClusterGroup", known),
            Some("Move-ClusterGroup")
        );
        assert_eq!(nearest("get-clusternod", known), Some("Get-ClusterNode"));
        assert_eq!(nearest("Send-MsmqQueue", known), None);
        assert_eq!(nearest("Remove-ClusterNode", ["Remove-Cluster"]), None);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
