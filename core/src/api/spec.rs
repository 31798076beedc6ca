//! What a command *is*: its verb and noun, parameters, help, examples and output record.
//!
//! A command is written once, with [`command!`](crate::api::spec): the macro makes the argument
//! struct (which serde carries over the wire) and the [`CommandSpec`] from the same lines, so the two
//! cannot drift. Output records are written once with `record!` in the same way. Shell binding,
//! completion, help, rhai functions, Python methods and `docs/commands.md` are all derived from
//! [`COMMANDS`](crate::api::COMMANDS).

use serde::{Serialize, de::DeserializeOwned};

/// Everything there is to know about a command without running it.
#[derive(Debug)]
pub struct CommandSpec {
    /// `Move-ClusterGroup`.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// The help text: the summary and what follows it.
    pub help: &'static [&'static str],
    /// In the order of their declaration.
    pub parameters: &'static [ParameterSpec],
    /// What comes out.
    pub output: &'static RecordSpec,
    /// Whether any number of records comes out, not exactly one.
    pub many: bool,
    /// Which process runs it.
    pub runs_at: RunsAt,
    /// What it can break; asked for with `-Confirm`, shown by `-WhatIf`.
    pub risk: Risk,
    /// Short names for the prompt, for example `gcg`.
    pub aliases: &'static [&'static str],
    /// Lines that can be typed as they are.
    pub examples: &'static [Example],
}

impl CommandSpec {
    /// `Move` of `Move-ClusterGroup`.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        self.name
            .split_once('-')
            .map_or(self.name, |(verb, _)| verb)
    }

    /// `ClusterGroup` of `Move-ClusterGroup`.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        self.name.split_once('-').map_or("", |(_, noun)| noun)
    }

    /// The parameter that is spelled `name`, ignoring case; aliases count.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'static ParameterSpec> {
        self.parameters.iter().find(|parameter| {
            parameter.name.eq_ignore_ascii_case(name)
                || parameter
                    .aliases
                    .iter()
                    .any(|alias| alias.eq_ignore_ascii_case(name))
        })
    }

    /// `move_cluster_group`, as Python and rhai spell it.
    #[must_use]
    pub fn snake_name(&self) -> String {
        snake(self.name)
    }
}

/// The parameter by which any command is told why; it is no parameter of its own.
pub const REASON: &str = "Reason";

/// Internal commands that change nothing.
const LOOKS: [&str; 4] = ["read-", "resolve-", "what-if", "get-"];

/// Whether the command of this name may change something, an internal one too.
#[must_use]
pub fn changes(command: &str) -> bool {
    match super::find(command) {
        Some(spec) => spec.risk != Risk::None,
        None => {
            let command = command.to_ascii_lowercase();
            !LOOKS.iter().any(|prefix| command.starts_with(prefix))
        }
    }
}

/// `MessageCount` or `Move-ClusterGroup` in snake case.
#[must_use]
pub fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut before = '-';
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        // A run of capitals is one word: Get-MsmqQueueACL is get_msmq_queue_acl.
        let begins_word = rest.peek().is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && before != '-' && (!before.is_ascii_uppercase() || begins_word)
        {
            out.push('_');
        }
        out.push(if c == '-' {
            '_'
        } else {
            c.to_ascii_lowercase()
        });
        before = c;
    }
    out
}

/// One parameter of a command.
#[derive(Debug)]
pub struct ParameterSpec {
    /// `Name`, as typed after the dash.
    pub name: &'static str,
    /// What it means; the first line is the summary.
    pub help: &'static [&'static str],
    /// The type of its value.
    pub kind: ValueKind,
    /// Whether the command cannot run without it.
    pub required: bool,
    /// Its place when it is given without its name, from 0.
    pub position: Option<usize>,
    /// What a pipeline may put into it.
    pub pipeline: Pipeline,
    /// What the prompt offers as values.
    pub completes: Completes,
    /// Other spellings.
    pub aliases: &'static [&'static str],
}

/// The type of a parameter's or a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Present or absent.
    Switch,
    /// True or false.
    Bool,
    /// A whole number, not negative.
    Int,
    /// A number with a fraction.
    Float,
    /// Text.
    Text,
    /// Several texts: `a,b,c`.
    TextList,
    /// Milliseconds; also typed `500ms`, `30s`, `5m`, `2h`.
    Duration,
    /// Text or bytes.
    Bytes,
    /// Any value.
    Any,
    /// Several values or records.
    List,
}

/// How a parameter takes values from the pipeline (PowerShell's binding rules).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipeline {
    /// Not at all.
    No,
    /// A whole text, or the field of this name of a record.
    ByValue,
    /// The field of this name of a record.
    ByPropertyName,
}

/// What completion offers for a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completes {
    /// Nothing.
    Nothing,
    /// Names of nodes.
    Node,
    /// Names of groups.
    Group,
    /// Names of resources.
    Resource,
    /// Names of resource types.
    ResourceType,
    /// Path names of queues.
    Queue,
    /// Names of clusters known on this machine.
    Cluster,
    /// Names of the selected object's private properties.
    PropertyName,
    /// Paths of files.
    File,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// Which process runs a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsAt {
    /// The client itself: it starts or stops processes or looks at several nodes.
    Client,
    /// Any node agent of the cluster.
    Agent,
    /// The queue manager that owns the queue.
    QueueManager,
}

/// What a command can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// It only reads.
    None,
    /// It adds something, or can be undone by its opposite.
    Low,
    /// It interrupts service.
    Medium,
    /// It destroys configuration or messages.
    High,
}

/// A line of a command's help that can be typed as it is.
#[derive(Debug)]
pub struct Example {
    /// The line.
    pub code: &'static str,
    /// What it does.
    pub text: &'static str,
}

/// The shape of an output record.
#[derive(Debug)]
pub struct RecordSpec {
    /// `ClusterGroup`.
    pub name: &'static str,
    /// What one record describes.
    pub help: &'static [&'static str],
    /// In column order.
    pub fields: &'static [FieldSpec],
    /// The columns of the default table.
    pub columns: &'static [&'static str],
}

/// One field of an output record.
#[derive(Debug)]
pub struct FieldSpec {
    /// `OwnerNode`.
    pub name: &'static str,
    /// What it means.
    pub help: &'static [&'static str],
    /// The type of its value.
    pub kind: ValueKind,
    /// Whether it may be absent (null).
    pub optional: bool,
}

/// An argument struct with its spec.
pub trait Command: Serialize + DeserializeOwned + Send + 'static {
    /// Its entry of the command list.
    const SPEC: &'static CommandSpec;
    /// What comes out: a record, or a `Vec` of records where `SPEC.many`.
    type Output: Serialize + DeserializeOwned + Send + 'static;
}

/// An output record with its shape.
pub trait Record: Serialize + DeserializeOwned + Send + 'static {
    /// The shape.
    const SPEC: &'static RecordSpec;
}

/// The output of a command: one record or many.
pub trait Output {
    /// The shape of each record.
    const RECORD: &'static RecordSpec;
    /// Whether it is a list.
    const MANY: bool;
}

impl<R: Record> Output for R {
    const RECORD: &'static RecordSpec = R::SPEC;
    const MANY: bool = false;
}

impl<R: Record> Output for Vec<R> {
    const RECORD: &'static RecordSpec = R::SPEC;
    const MANY: bool = true;
}

/// A Rust type that can stand in a command or a record.
pub trait Typed {
    /// Its kind.
    const KIND: ValueKind;
    /// Whether it may be left out.
    const OPTIONAL: bool = false;
}

macro_rules! typed {
    ($($ty:ty => $kind:ident),+ $(,)?) => {
        $(impl Typed for $ty { const KIND: ValueKind = ValueKind::$kind; })+
    };
}

typed! {
    u8 => Int, u16 => Int, u32 => Int, u64 => Int, i64 => Int, f64 => Float, String => Text,
    ciborium::Value => Any, crate::api::value::Body => Bytes, crate::api::value::Millis => Duration,
    crate::api::value::Time => Text,
}

#[expect(
    clippy::use_self,
    reason = "OPTIONAL is a bool by its trait, whoever implements it"
)]
impl Typed for bool {
    const KIND: ValueKind = ValueKind::Switch;
    const OPTIONAL: bool = true;
}

impl Typed for Vec<String> {
    const KIND: ValueKind = ValueKind::TextList;
    const OPTIONAL: bool = true;
}

impl Typed for Vec<ciborium::Value> {
    const KIND: ValueKind = ValueKind::List;
    const OPTIONAL: bool = true;
}

impl<T: Typed> Typed for Option<T> {
    const KIND: ValueKind = T::KIND;
    const OPTIONAL: bool = true;
}

/// Defines an output record: the struct and its [`RecordSpec`] from the same lines.
macro_rules! record {
    (
        $( #[doc = $doc:literal] )*
        $ty:ident as $name:literal, columns $columns:expr,
        { $( $( #[doc = $fdoc:literal] )* $field:ident $fname:literal : $fty:ty ),+ $(,)? }
    ) => {
        $( #[doc = $doc] )*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $ty { $( $( #[doc = $fdoc] )* #[serde(rename = $fname)] pub $field: $fty ),+ }

        impl $crate::api::spec::Record for $ty {
            const SPEC: &'static $crate::api::spec::RecordSpec = &$crate::api::spec::RecordSpec {
                name: $name,
                help: &[$($doc),*],
                columns: &$columns,
                fields: &[$($crate::api::spec::FieldSpec {
                    name: $fname,
                    help: &[$($fdoc),*],
                    kind: <$fty as $crate::api::spec::Typed>::KIND,
                    optional: <$fty as $crate::api::spec::Typed>::OPTIONAL
                        && !matches!(<$fty as $crate::api::spec::Typed>::KIND,
                            $crate::api::spec::ValueKind::Switch | $crate::api::spec::ValueKind::TextList
                            | $crate::api::spec::ValueKind::List),
                }),+],
            };
        }
    };
}

/// Defines a command: the argument struct and its [`CommandSpec`] from the same lines.
///
/// The first doc line is the summary. Parameter attributes: `position N`, `pipeline value|property`,
/// `completes COMPLETES`, `alias [..]`. Whether a parameter is required follows from its type.
macro_rules! command {
    (
        $( #[doc = $doc:literal] )*
        $ty:ident = $name:literal => $out:ty, at $at:ident, risk $risk:ident, aliases $aliases:expr,
        {
            $( $( #[doc = $pdoc:literal] )* $field:ident $pname:literal : $pty:ty
                $( , position $position:literal )?
                $( , pipeline $pipeline:ident )?
                $( , completes $completes:expr )?
                $( , alias $palias:expr )?
            );* $(;)?
        }
        examples { $( $code:literal => $text:literal ),* $(,)? }
    ) => {
        $( #[doc = $doc] )*
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $ty {
            $( $( #[doc = $pdoc] )* #[serde(rename = $pname, default = "crate::api::value::absent")] pub $field: $pty ),*
        }

        /// Every parameter as if it had not been given.
        impl Default for $ty {
            fn default() -> Self {
                Self { $( $field: $crate::api::value::absent() ),* }
            }
        }

        impl $crate::api::spec::Command for $ty {
            type Output = $out;
            const SPEC: &'static $crate::api::spec::CommandSpec = {
                #[allow(unused_imports)]
                use $crate::api::spec::Completes::{self, *};
                &$crate::api::spec::CommandSpec {
                    name: $name,
                    summary: $crate::api::spec::first(&[$($doc),*]),
                    help: &[$($doc),*],
                    parameters: &[$($crate::api::spec::ParameterSpec {
                        name: $pname,
                        help: &[$($pdoc),*],
                        kind: <$pty as $crate::api::spec::Typed>::KIND,
                        required: !<$pty as $crate::api::spec::Typed>::OPTIONAL,
                        position: $crate::api::spec::command!(@position $($position)?),
                        pipeline: $crate::api::spec::command!(@pipeline $($pipeline)?),
                        completes: $crate::api::spec::command!(@completes $($completes)?),
                        aliases: $crate::api::spec::command!(@aliases $($palias)?),
                    }),*],
                    output: <$out as $crate::api::spec::Output>::RECORD,
                    many: <$out as $crate::api::spec::Output>::MANY,
                    runs_at: $crate::api::spec::RunsAt::$at,
                    risk: $crate::api::spec::Risk::$risk,
                    aliases: &$aliases,
                    examples: &[$($crate::api::spec::Example { code: $code, text: $text }),*],
                }
            };
        }
    };
    (@position) => { None };
    (@position $n:literal) => { Some($n) };
    (@pipeline) => { $crate::api::spec::Pipeline::No };
    (@pipeline value) => { $crate::api::spec::Pipeline::ByValue };
    (@pipeline property) => { $crate::api::spec::Pipeline::ByPropertyName };
    (@completes) => { Completes::Nothing };
    (@completes $completes:expr) => { $completes };
    (@aliases) => { &[] };
    (@aliases $aliases:expr) => { &$aliases };
}

pub(crate) use {command, record};

/// The first line of a help text.
#[must_use]
pub const fn first(lines: &'static [&'static str]) -> &'static str {
    match lines {
        [line, ..] => line,
        [] => "",
    }
}
