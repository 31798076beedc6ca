//! Dependency expressions: which of its providers a resource needs to be online.
//!
//! ```text
//!   expression = operand, or operands joined by `and`, or operands joined by `or`; nothing at all
//!   operand    = [Resource]  or  ( expression )          ([IP 1] or [IP 2]) and ([Disk])
//! ```
//!
//! The syntax is that of failover clustering (MS-CMRP 3.1.4.2.109), with one freedom more: parentheses
//! nest. `and` and `or` side by side are refused instead of being given a precedence that nobody sees.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::record::fold;
use crate::error::{Error, ErrorKind, Result};

/// Longest expression, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting of parentheses.
const DEPTH_MAX: usize = 32;

/// What a resource depends on. In normal form: no `All` in an `All`, no `Any` in an `Any`, and none of a
/// single operand; an empty `All` is no dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// This resource.
    Resource(String),
    /// Each of them.
    All(Vec<Self>),
    /// At least one of them.
    Any(Vec<Self>),
}

impl Default for Expression {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Expression {
    /// Each of these resources.
    #[must_use]
    pub fn each(names: impl IntoIterator<Item = String>) -> Self {
        Self::all(names.into_iter().map(Self::Resource))
    }

    /// Each of these.
    #[must_use]
    pub fn all(operands: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for operand in operands {
            match operand {
                Self::All(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        single(flat).unwrap_or_else(Self::All)
    }

    /// At least one of these; of none, nothing is needed.
    #[must_use]
    pub fn any(operands: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for operand in operands {
            match operand {
                Self::Any(inner) => flat.extend(inner),
                Self::All(inner) if inner.is_empty() => {}
                other => flat.push(other),
            }
        }
        if flat.is_empty() {
            return Self::default();
        }
        single(flat).unwrap_or_else(Self::Any)
    }

    /// Reads an expression; an empty text is no dependency.
    ///
    /// # Errors
    /// `InvalidParameter` with where it goes wrong; `DependencyAlreadyExists` when a resource is named twice.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(syntax("the expression is longer than 64 KiB"));
        }
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader { text, at: 0 };
        let expression = reader.expression(0)?;
        if !reader.rest().is_empty() {
            return Err(reader.unexpected("the end, and, or"));
        }
        let mut seen = BTreeSet::new();
        for name in expression.iter() {
            if !seen.insert(fold(name)) {
                let text = format!("the expression names {name} twice");
                return Err(Error::new(ErrorKind::DependencyAlreadyExists, text)
                    .hint("name it once: [A] and ([B] or [C])"));
            }
        }
        Ok(expression)
    }

    /// The resources it names, in order.
    #[must_use]
    pub fn iter(&self) -> std::vec::IntoIter<&String> {
        let mut names = Vec::new();
        self.collect(&mut names);
        names.into_iter()
    }

    fn collect<'a>(&'a self, names: &mut Vec<&'a String>) {
        match self {
            Self::Resource(name) => names.push(name),
            Self::All(operands) | Self::Any(operands) => {
                operands.iter().for_each(|o| o.collect(names));
            }
        }
    }

    /// Whether it names no resource.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::All(operands) if operands.is_empty())
    }

    /// Whether it names a resource, ignoring case.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.iter().any(|n| fold(n) == fold(name))
    }

    /// Whether it is true where `is` says which resources are.
    pub fn holds(&self, is: &mut dyn FnMut(&str) -> bool) -> bool {
        match self {
            Self::Resource(name) => is(&fold(name)),
            Self::All(operands) => operands.iter().all(|o| o.holds(is)),
            Self::Any(operands) => operands.iter().any(|o| o.holds(is)),
        }
    }

    /// Whether every way to make it true contains a resource of which `is` is true.
    pub fn ensures(&self, is: &mut dyn FnMut(&str) -> bool) -> bool {
        match self {
            Self::Resource(name) => is(&fold(name)),
            Self::All(operands) => operands.iter().any(|o| o.ensures(is)),
            Self::Any(operands) => operands.iter().all(|o| o.ensures(is)),
        }
    }

    /// The same without the resources of which `gone` is true: an alternative that is left alone becomes
    /// necessary.
    #[must_use]
    pub fn without(&self, gone: &dyn Fn(&str) -> bool) -> Self {
        let rest = |operands: &[Self]| -> Vec<Self> {
            let left = operands.iter().map(|o| o.without(gone));
            left.filter(|o| !o.is_empty()).collect()
        };
        match self {
            Self::Resource(name) if gone(&fold(name)) => Self::default(),
            Self::Resource(_) => self.clone(),
            Self::All(operands) => Self::all(rest(operands)),
            Self::Any(operands) => Self::any(rest(operands)),
        }
    }

    /// The names as `spell` spells them.
    ///
    /// # Errors
    /// Those of `spell`.
    pub fn spelled(&self, spell: &dyn Fn(&str) -> Result<String>) -> Result<Self> {
        let each = |operands: &[Self]| -> Result<Vec<Self>> {
            operands.iter().map(|o| o.spelled(spell)).collect()
        };
        Ok(match self {
            Self::Resource(name) => Self::Resource(spell(name)?),
            Self::All(operands) => Self::All(each(operands)?),
            Self::Any(operands) => Self::Any(each(operands)?),
        })
    }

    /// The operands without parentheses around the whole.
    fn inner(&self) -> String {
        let join = |operands: &[Self], word: &str| -> String {
            operands
                .iter()
                .map(Self::operand)
                .collect::<Vec<_>>()
                .join(word)
        };
        match self {
            Self::Resource(name) => format!("[{name}]"),
            Self::All(operands) => join(operands, " and "),
            Self::Any(operands) => join(operands, " or "),
        }
    }

    fn operand(&self) -> String {
        match self {
            Self::Resource(_) => self.inner(),
            _ => format!("({})", self.inner()),
        }
    }
}

fn single(mut operands: Vec<Expression>) -> Result<Expression, Vec<Expression>> {
    match operands.pop() {
        Some(only) if operands.is_empty() => Ok(only),
        Some(last) => {
            operands.push(last);
            Err(operands)
        }
        None => Err(operands),
    }
}

/// As failover clustering prints it: `([A] or [B]) and ([C])`.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(operands) => {
                let parts: Vec<_> = operands
                    .iter()
                    .map(|o| format!("({})", o.inner()))
                    .collect();
                f.write_str(&parts.join(" and "))
            }
            other => write!(f, "({})", other.inner()),
        }
    }
}

/// A plain list where that says it all, as rows had it before there were alternatives; else the text.
impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = match self {
            Self::Resource(_) => true,
            Self::All(operands) => operands.iter().all(|o| matches!(o, Self::Resource(_))),
            Self::Any(_) => false,
        };
        match plain {
            true => serializer.collect_seq(self.iter()),
            false => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Stored {
            Names(Vec<String>),
            Text(String),
        }
        match Stored::deserialize(deserializer)? {
            Stored::Names(names) => Ok(Self::each(names)),
            Stored::Text(text) => Self::parse(&text).map_err(serde::de::Error::custom),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// What is left, without leading blanks.
    fn rest(&mut self) -> &'a str {
        let left = self.text.get(self.at..).unwrap_or_default();
        let trimmed = left.trim_start();
        self.at = self.text.len() - trimmed.len();
        trimmed
    }

    fn expression(&mut self, depth: usize) -> Result<Expression> {
        let mut operands = vec![self.operand(depth)?];
        let mut joined: Option<Word> = None;
        while let Some(word) = self.word() {
            if joined.is_some_and(|w| w != word) {
                return Err(syntax("and and or stand side by side")
                    .hint("put parentheses around what belongs together: ([A] or [B]) and [C]"));
            }
            joined = Some(word);
            operands.push(self.operand(depth)?);
        }
        Ok(match joined {
            Some(Word::Or) => Expression::any(operands),
            _ => Expression::all(operands),
        })
    }

    fn operand(&mut self, depth: usize) -> Result<Expression> {
        if depth > DEPTH_MAX {
            return Err(syntax("more than 32 parentheses in one another"));
        }
        let rest = self.rest();
        if let Some(inside) = rest.strip_prefix('(') {
            self.at = self.text.len() - inside.len();
            let expression = self.expression(depth + 1)?;
            let Some(after) = self.rest().strip_prefix(')') else {
                return Err(self.unexpected("and, or, )"));
            };
            self.at = self.text.len() - after.len();
            return Ok(expression);
        }
        let name = rest.strip_prefix('[').and_then(|r| r.split_once(']'));
        match name {
            Some((name, after)) if !name.trim().is_empty() => {
                self.at = self.text.len() - after.len();
                Ok(Expression::Resource(name.trim().to_owned()))
            }
            _ => Err(self.unexpected("[Resource] or (")),
        }
    }

    fn word(&mut self) -> Option<Word> {
        let rest = self.rest();
        [("and", Word::And), ("or", Word::Or)]
            .into_iter()
            .find_map(|(text, word)| {
                let head = rest.get(..text.len())?;
                let after = rest.get(text.len()..)?;
                let ends = !after.starts_with(|c: char| c.is_alphanumeric());
                (head.eq_ignore_ascii_case(text) && ends).then(|| {
                    self.at += text.len();
                    word
                })
            })
    }

    fn unexpected(&mut self, wanted: &str) -> Error {
        let rest = self.rest();
        let found: String = rest.chars().take(20).collect();
        let place = self.text.get(..self.at).map_or(0, |t| t.chars().count()) + 1;
        match found.is_empty() {
            true => syntax(&format!("the expression ends where {wanted} is wanted")),
            false => syntax(&format!(
                "{found:?} at character {place}, where {wanted} is wanted"
            )),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    And,
    Or,
}

fn syntax(what: &str) -> Error {
    let text = format!("no dependency expression: {what}");
    Error::new(ErrorKind::InvalidParameter, text)
        .hint("write resources in brackets: ([IP 1] or [IP 2]) and [Disk 1]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Expression {
        Expression::parse(text).unwrap()
    }

    #[test]
    fn expressions_are_read_and_printed_as_operators_know_them() {
        for (text, printed) in [
            ("[A]", "([A])"),
            ("  ", ""),
            ("[A] and [B]", "([A]) and ([B])"),
            ("([A]) AND ([B c])", "([A]) and ([B c])"),
            ("[A]or[B]", "([A] or [B])"),
            (
                "([IP 1] or [IP 2]) and [Disk]",
                "([IP 1] or [IP 2]) and ([Disk])",
            ),
            ("([A] and [B]) or [C]", "(([A] and [B]) or [C])"),
            ("(([A])) and ([B] and ([C]))", "([A]) and ([B]) and ([C])"),
        ] {
            let expression = parse(text);
            assert_eq!(expression.to_string(), printed, "{text}");
            assert_eq!(parse(printed), expression, "{text}");
        }
    }

    #[test]
    fn slips_are_told_with_their_place() {
        for (text, part) in [
            ("A and B", "\"A and B\" at character 1"),
            ("[A] and", "ends where [Resource]"),
            ("[A] [B]", "\"[B]\" at character 5"),
            ("([A] or [B]", "ends where and, or, )"),
            ("[A] and [B] or [C]", "side by side"),
            ("[]", "at character 1"),
            ("[A] xor [B]", "at character 5"),
            ("[A])", "\")\" at character 4"),
            ("()", "\")\" at character 2"),
        ] {
            let error = Expression::parse(text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidParameter, "{text}");
            assert!(error.message.contains(part), "{text}: {error}");
        }
        let twice = Expression::parse("[A] and ([B] or [a])").unwrap_err();
        assert_eq!(twice.kind, ErrorKind::DependencyAlreadyExists);
        let deep = format!("{}[A]{}", "(".repeat(40), ")".repeat(40));
        Expression::parse(&deep).unwrap_err();
        Expression::parse(&"(".repeat(100_000)).unwrap_err();
    }

    #[test]
    fn rows_of_before_are_read_and_plain_ones_stay_as_they_were() {
        let read = |text: &str| serde_json::from_str::<Expression>(text).unwrap();
        let write = |e: &Expression| serde_json::to_string(e).unwrap();
        assert_eq!(read(r#"["A","B"]"#), parse("[A] and [B]"));
        assert_eq!(write(&parse("[A] and [B]")), r#"["A","B"]"#);
        assert_eq!(write(&parse("[A]")), r#"["A"]"#);
        assert_eq!(write(&Expression::default()), "[]");
        let alternatives = parse("([A] or [B]) and [C]");
        assert_eq!(read(&write(&alternatives)), alternatives);
    }

    #[test]
    fn what_is_removed_leaves_its_alternative_necessary() {
        let without = |text: &str, name: &str| parse(text).without(&|n| n == name).to_string();
        assert_eq!(without("([A] or [B]) and [C]", "a"), "([B]) and ([C])");
        assert_eq!(without("([A] or [B]) and [C]", "c"), "([A] or [B])");
        assert_eq!(without("[A]", "a"), "");
    }

    fn any_expression() -> impl Strategy<Value = Expression> {
        let leaf = (0..20u8).prop_map(|n| Expression::Resource(format!("Res {n}-ü")));
        leaf.prop_recursive(4, 24, 4, |inner| {
            let operands = proptest::collection::vec(inner, 1..4);
            (operands, any::<bool>()).prop_map(|(operands, all)| match all {
                true => Expression::all(operands),
                false => Expression::any(operands),
            })
        })
    }

    /// Each resource once, as the parser demands.
    fn distinct(expression: &Expression) -> Expression {
        let number = std::cell::Cell::new(0);
        expression
            .spelled(&|name| {
                number.set(number.get() + 1);
                Ok(format!("{name} {}", number.get()))
            })
            .unwrap()
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same(expression in any_expression()) {
            let expression = distinct(&expression);
            prop_assert_eq!(&parse(&expression.to_string()), &expression);
            let mut row = Vec::new();
            ciborium::into_writer(&expression, &mut row).unwrap();
            let read: Expression = ciborium::from_reader(row.as_slice()).unwrap();
            prop_assert_eq!(read, expression);
        }

        #[test]
        fn no_text_makes_the_reader_fail_otherwise_than_by_an_error(text in "[\\[\\]()a-cAndor ]{0,40}") {
            if let Ok(expression) = Expression::parse(&text) {
                prop_assert_eq!(Expression::parse(&expression.to_string()).unwrap(), expression);
            }
        }

        #[test]
        fn ensures_means_that_it_never_holds_without(expression in any_expression(), wanted in 0..20u8) {
            let marked = fold(&format!("Res {wanted}-ü"));
            let ensured = expression.ensures(&mut |n| n == marked);
            let without = expression.holds(&mut |n| n != marked);
            prop_assert_eq!(ensured, !without);
        }
    }
}
