//! The specs of the verbs that only a shell has: the same data as the core's command list.

use hamq_core::api::spec::{
    CommandSpec, Completes, Example, ParameterSpec, Pipeline, RecordSpec, Risk, RunsAt, ValueKind,
};

static OBJECT: RecordSpec = RecordSpec {
    name: "Object",
    help: &["Whatever came in."],
    fields: &[],
    columns: &[],
};

macro_rules! parameters {
    ($( $name:literal $kind:ident $(at $position:literal)? $(is $alias:tt)? $(of $completes:expr)? => $help:literal ),* $(,)?) => {
        &[$( ParameterSpec {
            name: $name,
            help: &[$help],
            kind: ValueKind::$kind,
            required: false,
            position: parameters!(@position $($position)?),
            pipeline: Pipeline::No,
            completes: parameters!(@completes $($completes)?),
            aliases: parameters!(@alias $($alias)?),
        } ),*]
    };
    (@position) => { None };
    (@position $n:literal) => { Some($n) };
    (@alias) => { &[] };
    (@alias $alias:tt) => { &$alias };
    (@completes) => { Completes::Nothing };
    (@completes $c:expr) => { $c };
}

macro_rules! verb {
    ($name:literal, $aliases:expr, $help:literal, $parameters:expr, $code:literal => $text:literal) => {
        &CommandSpec {
            name: $name,
            summary: $help,
            help: &[$help],
            parameters: $parameters,
            output: &OBJECT,
            many: true,
            runs_at: RunsAt::Client,
            risk: Risk::None,
            aliases: &$aliases,
            examples: &[Example {
                code: $code,
                text: $text,
            }],
        }
    };
}

/// The parameters every command has.
pub static COMMON: &[ParameterSpec] = parameters![
    "ErrorAction" Text is ["ea"] of Completes::Choice(&["Stop", "Continue", "SilentlyContinue"])
        => "What an error does: Stop (default), Continue or SilentlyContinue.",
    "WhatIf" Switch is ["wi"] => "Say what would be done, and do nothing.",
    "Confirm" Switch is ["cf"] => "Ask first; -Confirm:$false never asks.",
];

/// Passes values on: also what a pipeline that begins with a value begins with.
pub(super) static WRITE_OUTPUT: &CommandSpec = verb!("Write-Output", ["echo"], "Passes its values on.", parameters![
        "InputObject" List at 0 => "The values.",
    ], "echo 1,2,3" => "Three rows.");

/// The verbs of the shell.
pub static VERBS: &[&CommandSpec] = &[
    verb!("Where-Object", ["where", "?"], "Keeps the rows for which a condition holds.", parameters![
        "FilterScript" Any at 0 is ["Property"] => "A script block on $_, or the name of a property.",
        "eq" Any => "Equal, ignoring case.", "ne" Any => "Not equal.",
        "gt" Any => "Greater.", "ge" Any => "Greater or equal.",
        "lt" Any => "Less.", "le" Any => "Less or equal.",
        "like" Text => "Fits a pattern with * and ?.", "notlike" Text => "Does not fit it.",
        "match" Text => "Fits a regular expression, ignoring case.", "notmatch" Text => "Does not fit it.",
        "contains" Any => "A list that has this value.", "in" List => "One of these values.",
    ], "Get-ClusterGroup | Where-Object State -eq Online" => "The groups that are online."),
    verb!("Select-Object", ["select"], "Takes some properties or some rows.", parameters![
        "Property" TextList at 0 => "These properties only.",
        "First" Int => "The first so many rows; nothing more is fetched.",
        "Last" Int => "The last so many rows.",
        "ExpandProperty" Text => "The values of one property.",
    ], "Get-ClusterGroup | Select-Object Name,OwnerNode" => "Two columns."),
    verb!("Sort-Object", ["sort"], "Puts the rows in order.", parameters![
        "Property" TextList at 0 => "By these properties.",
        "Descending" Switch => "The greatest first.",
    ], "Get-ClusterGroup | Sort-Object OwnerNode" => "By owner."),
    verb!("ForEach-Object", ["foreach", "%"], "Runs a block for each row.", parameters![
        "Process" Any at 0 => "A script block on $_, or the name of a property.",
    ], "Get-ClusterGroup | ForEach-Object { $_.Name }" => "The names."),
    verb!("Measure-Object", ["measure"], "Counts the rows; sums a property.", parameters![
        "Property" Text at 0 => "Sum, average, least and greatest of it.",
    ], "Get-MsmqQueue VS1 | Measure-Object MessageCount" => "All messages."),
    verb!("Group-Object", ["group"], "Counts the rows by the value of a property.", parameters![
        "Property" Text at 0 => "The property.",
    ], "Get-ClusterGroup | Group-Object OwnerNode" => "How many each node owns."),
    verb!("Format-Table", ["ft"], "Shows the rows as a table.", parameters![
        "Property" TextList at 0 => "These columns.",
        "Wrap" Switch => "Always wraps wide cells (so it does anyway).",
    ], "Get-ClusterGroup | Format-Table Name,State" => "Two columns."),
    verb!("Format-List", ["fl"], "Shows each row as a list of its properties.", parameters![
        "Property" TextList at 0 => "These properties.",
    ], "Get-ClusterGroup VS1 | Format-List" => "All there is to know about VS1."),
    verb!("ConvertTo-Json", [], "Makes JSON of the rows.", parameters![
        "Compress" Switch => "On one line.",
    ], "Get-ClusterGroup | ConvertTo-Json" => "The groups as JSON."),
    verb!("ConvertFrom-Json", [], "Makes records of JSON text.", parameters![
        "InputObject" Text at 0 => "The text; by default what comes in.",
    ], "Get-Content orders.json | ConvertFrom-Json" => "A record per line."),
    verb!("Get-Content", ["cat"], "Reads the lines of a file.", parameters![
        "Path" Text at 0 of Completes::File => "The file.",
    ], "Get-Content orders.txt | Send-MsmqQueue VS1/private$/orders" => "A message per line."),
    verb!("Import-Csv", [], "Makes a record of each line of a CSV file; its first line names them.", parameters![
        "Path" Text at 0 of Completes::File => "The file.",
    ], "Import-Csv orders.csv | ForEach-Object { Send-MsmqQueue VS1/private$/orders $_.Text }" => "A message per line."),
    verb!("Out-File", [], "Writes the rows into a file, never cut.", parameters![
        "Path" Text at 0 of Completes::File => "The file; it is replaced.",
        "Append" Switch => "Add to it.",
    ], "Get-ClusterLog | Out-File cluster.log" => "Keeps the log."),
    verb!("Show-ClusterMonitor", ["mon"], "Shows the cluster on one screen: nodes, groups, resources, queues, events.", parameters![
        "AllowChanges" Switch => "Let commands typed in it change something, each after a question.",
    ], "Show-ClusterMonitor" => "Until q; ? tells the keys."),
    verb!("Clear-Host", ["clear", "cls"], "Clears the screen.", parameters![],
        "Clear-Host" => "A clean screen."),
    verb!("Out-Null", [], "Takes the rows and shows nothing.", parameters![],
        "Stop-ClusterGroup VS1 | Out-Null" => "Done, without a word."),
    verb!("Get-Help", ["help", "man"], "Shows the help of a command, or lists commands.", parameters![
        "Name" Text at 0 => "A command, a pattern, or about_shell.",
        "Examples" Switch => "Only the examples.",
        "Full" Switch => "With common parameters and output.",
    ], "Get-Help Move-ClusterGroup" => "How to move a group."),
    verb!("Get-Command", ["gcm"], "Lists commands.", parameters![
        "Name" Text at 0 => "A pattern with * and ?.",
        "Verb" Text => "Those with this verb.", "Noun" Text => "Those with this noun.",
    ], "Get-Command -Noun Msmq*" => "The commands on queues."),
    WRITE_OUTPUT,
    verb!("Write-Host", [], "Shows a text at once.", parameters![
        "Object" List at 0 => "The text.",
    ], "Write-Host 'ready'" => "Says so."),
    verb!("Write-Progress", [], "Shows how far something is, on the error stream.", parameters![
        "Activity" Text at 0 => "What goes on.",
        "Status" Text at 1 => "How it is.",
        "PercentComplete" Int => "0 to 100.",
        "Completed" Switch => "Takes the line away.",
    ], "Write-Progress Drill 'round 3 of 5' -PercentComplete 60" => "One line, overwritten."),
    verb!("Start-Sleep", ["sleep"], "Waits.", parameters![
        "Duration" Duration at 0 is ["Seconds"] => "How long: 500ms, 3s; a bare number is seconds.",
    ], "Start-Sleep 500ms" => "Half a second."),
    verb!("Get-Date", [], "The time, in UTC.", parameters![], "Get-Date" => "Now."),
    verb!("Connect-Cluster", [], "Chooses the cluster for later commands.", parameters![
        "Name" Text at 0 of Completes::Cluster => "Its name, or HOST[:PORT],… of its nodes.",
    ], "Connect-Cluster lab" => "Later commands are for lab."),
];
