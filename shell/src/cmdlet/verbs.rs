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
    "ErrorVariable" Text is ["ev"] => "Keep the errors in $global:NAME; +NAME adds them to it.",
    "OutVariable" Text is ["ov"] => "Keep the rows in $global:NAME too; +NAME adds them to it.",
    "WhatIf" Switch is ["wi"] => "Say what would be done, and do nothing.",
    "Confirm" Switch is ["cf"] => "Ask first; -Confirm:$false never asks.",
    "PassThru" Switch is ["pt"] => "Give back what was changed: every command does so.",
    "Reason" Text => "Why: kept with the change; Get-ClusterAudit shows it.",
    "As" Text of Completes::Choice(&["table", "list", "wide", "name", "json", "jsonl", "csv"])
        => "Text instead of records: table, list, wide (all properties), name, json (a list), jsonl, csv.",
];

/// The groups of a node: what `Get-ClusterNode n3 | Get-ClusterGroup` asks for.
static OF_NODE: ParameterSpec = ParameterSpec {
    name: "Node",
    help: &["Only those that this node owns."],
    kind: ValueKind::Text,
    required: false,
    position: None,
    pipeline: Pipeline::ByPropertyName,
    completes: Completes::Node,
    aliases: &["OwnerNode"],
};

/// Parameters that the shell adds to commands of the core: they choose from what a command answers, or make an
/// endless stream of it.
pub static ADDED: &[(&str, &[ParameterSpec])] = &[
    (
        "Receive-MsmqQueue",
        parameters![
            "Wait" Switch => "Go on with the next message, for ever; -Timeout ends it after so long without one.",
        ],
    ),
    ("Get-ClusterGroup", std::slice::from_ref(&OF_NODE)),
    (
        "Get-ClusterLog",
        parameters![
            "Follow" Switch => "Go on with the lines that come.",
        ],
    ),
];

/// Writes a file: also what `> FILE` stands for.
pub(super) static OUT_FILE: &CommandSpec = verb!("Out-File", [], "Writes the rows into a file, never cut; `> FILE` and `>> FILE` are short for it.", parameters![
        "Path" Text at 0 is ["FilePath"] of Completes::File => "The file; it is replaced.",
        "Append" Switch => "Add to it.",
    ], "Get-ClusterLog | Out-File cluster.log" => "Keeps the log.");

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
        "Property" List at 0 => "These properties only; @{ Name = 'x'; Expression = { $_… } } makes one.",
        "ExcludeProperty" TextList => "All but these.",
        "First" Int => "The first so many rows; nothing more is fetched.",
        "Last" Int => "The last so many rows.",
        "Skip" Int => "Not the first so many.",
        "Unique" Switch => "Equal rows once.",
        "ExpandProperty" Text => "The values of one property.",
    ], "Get-ClusterGroup | Select-Object Name,OwnerNode" => "Two columns."),
    verb!("Sort-Object", ["sort"], "Puts the rows in order.", parameters![
        "Property" List at 0 => "By these properties or script blocks.",
        "Descending" Switch => "The greatest first.",
        "Unique" Switch => "Of rows with equal keys only the first.",
        "Top" Int => "Only the first so many.",
    ], "Get-ClusterGroup | Sort-Object OwnerNode" => "By owner."),
    verb!("ForEach-Object", ["foreach", "%"], "Runs a block for each row.", parameters![
        "Process" Any at 0 => "A script block on $_, or the name of a property.",
    ], "Get-ClusterGroup | ForEach-Object { $_.Name }" => "The names."),
    verb!("Measure-Object", ["measure"], "Counts the rows; sums a property.", parameters![
        "Property" Text at 0 => "Sum, average, least and greatest of it.",
        "Sum" Switch => "Only the sum.", "Average" Switch => "Only the average.",
        "Minimum" Switch => "Only the least.", "Maximum" Switch => "Only the greatest.",
    ], "Get-MsmqQueue VS1 | Measure-Object MessageCount" => "All messages."),
    verb!("Group-Object", ["group"], "Counts the rows by the value of a property.", parameters![
        "Property" Any at 0 => "The property, or a script block.",
        "NoElement" Switch => "Without the rows themselves.",
    ], "Get-ClusterGroup | Group-Object OwnerNode" => "How many each node owns."),
    verb!("Format-Table", ["ft"], "Shows the rows as a table.", parameters![
        "Property" TextList at 0 => "These columns.",
        "Wrap" Switch => "Always wraps wide cells (so it does anyway).",
    ], "Get-ClusterGroup | Format-Table Name,State" => "Two columns."),
    verb!("Format-Wide", ["fw"], "Shows the names of the rows only.", parameters![
        "Property" Text at 0 => "This property.",
    ], "Get-ClusterGroup | Format-Wide" => "The names."),
    verb!("Format-List", ["fl"], "Shows each row as a list of its properties.", parameters![
        "Property" TextList at 0 => "These properties.",
    ], "Get-ClusterGroup VS1 | Format-List" => "All there is to know about VS1."),
    verb!("ConvertTo-Json", [], "Makes JSON of the rows.", parameters![
        "Compress" Switch => "On one line.",
    ], "Get-ClusterGroup | ConvertTo-Json" => "The groups as JSON."),
    verb!("ConvertFrom-Json", [], "Makes records of JSON text.", parameters![
        "InputObject" Text at 0 => "The text; by default what comes in.",
    ], "Get-Content orders.json | ConvertFrom-Json" => "A record per line."),
    verb!("ConvertTo-Csv", [], "Makes CSV of the rows (RFC 4180): the properties of the first row, then a line for each.", parameters![],
        "Get-ClusterGroup | ConvertTo-Csv" => "The groups as CSV."),
    verb!("ConvertFrom-Csv", [], "Makes a record of each line of CSV text; its first line names them.", parameters![
        "InputObject" TextList at 0 => "The text; by default what comes in.",
    ], "Get-Content orders.csv | ConvertFrom-Csv" => "A record per line."),
    verb!("Export-Csv", [], "Writes the rows into a CSV file.", parameters![
        "Path" Text at 0 of Completes::File => "The file; it is replaced.",
        "Append" Switch => "Add to it, without the line of names.",
    ], "Get-MsmqQueue VS1 | Export-Csv queues.csv" => "For a spreadsheet."),
    verb!("Export-Json", [], "Writes the rows into a file, one JSON value a line: it can be read while it grows.", parameters![
        "Path" Text at 0 of Completes::File => "The file; it is replaced.",
        "Append" Switch => "Add to it.",
    ], "Get-ClusterGroup | Export-Json before.jsonl" => "Keeps what there is now."),
    verb!("Import-Json", [], "Makes records of a file of JSON values.", parameters![
        "Path" Text at 0 of Completes::File => "The file.",
    ], "Import-Json before.jsonl | Compare-Object (Get-ClusterGroup) Name,State" => "What has changed since."),
    verb!("Compare-Object", ["compare", "diff"], "Shows which rows are only in one of two lists: => only in the second, <= only in the first.", parameters![
        "DifferenceObject" List at 0 => "The second list; the first one comes in, or is -ReferenceObject.",
        "Property" TextList at 1 => "What makes rows equal; by default all properties.",
        "ReferenceObject" List => "The first list.",
        "IncludeEqual" Switch => "Also those in both: ==.",
        "ExcludeDifferent" Switch => "Only those in both.",
    ], "Import-Json before.jsonl | Compare-Object (Get-ClusterGroup) Name,OwnerNode" => "Who has moved."),
    verb!("Tee-Object", ["tee"], "Passes the rows on and keeps them: in a file, or in $global:NAME.", parameters![
        "FilePath" Text at 0 is ["Path"] of Completes::File => "The file; it is replaced.",
        "Variable" Text => "The name: the rows are in $global:NAME when the last has passed.",
        "Append" Switch => "Add to the file.",
    ], "Get-ClusterLog | Tee-Object cluster.log | Measure-Object" => "Keeps the log and counts it."),
    verb!("Out-String", [], "Makes one text of the rows, as they would be shown.", parameters![
        "Stream" Switch => "Line by line.",
    ], "Get-ClusterGroup | Out-String" => "A table as text."),
    verb!("Get-Member", ["gm"], "Shows which properties the rows have, with their types.", parameters![
        "Name" Text at 0 => "A pattern with * and ?.",
    ], "Get-ClusterGroup | Get-Member" => "What Where-Object can ask for."),
    verb!("Wait-Condition", [], "Waits until a script block is true; what it fails with does not count until the time is up.", parameters![
        "Condition" Any at 0 => "The script block.",
        "Timeout" Duration => "How long (default 60s); then it fails with code 124.",
        "Interval" Duration => "How long between two tries (default 500ms).",
    ], "Wait-Condition { (Get-MsmqQueue VS1/private$/orders).MessageCount == 0 } -Timeout 30s" => "Until the queue is empty."),
    verb!("Wait-ClusterResource", [], "Waits until a resource is in a state.", parameters![
        "Name" Text at 0 of Completes::Resource => "The resource.",
        "State" Text of Completes::Choice(&["Online", "Offline", "Failed"]) => "The state (default Online).",
        "Timeout" Duration => "How long (default 60s); then it fails with code 124.",
    ], "Wait-ClusterResource VS1-IP -Timeout 30s" => "Until the address is there."),
    verb!("Wait-ClusterNode", [], "Waits until a node is in a state.", parameters![
        "Name" Text at 0 of Completes::Node => "The node.",
        "State" Text of Completes::Choice(&["Up", "Down", "Paused"]) => "The state (default Up).",
        "Timeout" Duration => "How long (default 60s); then it fails with code 124.",
    ], "Wait-ClusterNode n1 -State Up" => "Until n1 is back."),
    verb!("Wait-MsmqQueue", [], "Waits until a queue holds at least, or at most, so many messages.", parameters![
        "Name" Text at 0 of Completes::Queue => "The queue.",
        "AtLeast" Int => "So many or more.",
        "AtMost" Int => "So many or fewer (default 0: until it is empty).",
        "Timeout" Duration => "How long (default 60s); then it fails with code 124.",
    ], "Wait-MsmqQueue VS1/private$/orders -AtMost 0 -Timeout 30s" => "Until all were taken."),
    verb!("Invoke-Native", [], "Runs a program with a list of arguments, no shell between: its output comes line by line, rows go to its input.", parameters![
        "FilePath" Text at 0 => "The program.",
        "ArgumentList" List at 1 => "Its arguments, each as it is: 'a b' is one.",
    ], "Invoke-Native ls '-l',/tmp | Select-Object -First 3" => "Three lines of it."),
    verb!("Invoke-Try", [], "Runs a script block and gives its value, or else the error as a record: try as a value.", parameters![
        "Block" Any at 0 => "The script block.",
    ], "let r = Invoke-Try { Get-ClusterGroup VS9 }" => "Then $r.kind tells what was wrong."),
    verb!("Invoke-Expression", ["iex"], "Runs a text and gives its value; it sees $global:x and the functions of the session, no local variables.", parameters![
        "Command" List at 0 => "The text; by default the lines that come in.",
    ], "Get-Content steps.txt | Invoke-Expression" => "Runs what the file says."),
    verb!("Invoke-Runbook", [], "Runs a script file with its parameters, inside this session.", parameters![
        "Path" Text at 0 of Completes::File => "The file.",
        "Parameters" Any at 1 => "What its param(…) takes, as a map.",
    ], "Invoke-Runbook ./bring-online.rhai @{ Group = 'VS1'; WhatIf = $true }" => "Shows what it would do."),
    verb!("Describe", [], "Groups tests under a name; 'hamq test FILE' runs a file of them.", parameters![
        "Name" Text at 0 => "What is tested.",
        "Fixture" Any at 1 => "The script block with its tests.",
    ], "Describe 'VS1' { It 'is online' { Get-ClusterGroup VS1 | % State | Assert-Equal Online } }" => "One test."),
    verb!("It", [], "A test: its script block fails, or not; the tests behind it go on.", parameters![
        "Name" Text at 0 => "What is so.",
        "Test" Any at 1 => "The script block.",
        "Skip" Switch => "Do not run it, and say so.",
    ], "It 'has three nodes' { Assert-Equal 3 (Get-ClusterNode).Count }" => "A test of its own."),
    verb!("Assert-Equal", [], "Fails unless a value is the expected one; lists and records by what is in them.", parameters![
        "Expected" Any at 0 => "What it must be.",
        "Actual" Any at 1 => "What it is; by default what comes in.",
        "Because" Text => "Why it must be.",
    ], "Get-ClusterGroup VS1 | % State | Assert-Equal Online" => "Fails unless VS1 is online."),
    verb!("Assert-Like", [], "Fails unless a text fits a pattern.", parameters![
        "Pattern" Text at 0 => "The pattern with * and ?.",
        "Actual" Any at 1 => "The text; by default what comes in.",
        "Because" Text => "Why it must.",
    ], "Get-ClusterGroup VS1 | % OwnerNode | Assert-Like 'n*'" => "Some node owns it."),
    verb!("Assert-True", [], "Fails unless a value, or what a script block gives, is true.", parameters![
        "Condition" Any at 0 => "The value or the script block; by default what comes in.",
        "Because" Text => "Why it must be.",
    ], "Assert-True { (Get-ClusterNode).Count > 1 }" => "There is somewhere to go."),
    verb!("Assert-Throws", [], "Fails unless a script block fails.", parameters![
        "Block" Any at 0 => "The script block.",
        "Kind" Text => "The kind of error: GroupNotFound.",
        "Message" Text => "A pattern that the message fits.",
        "Because" Text => "Why it must.",
    ], "Assert-Throws { Get-ClusterGroup VS9 } -Kind GroupNotFound" => "There is no VS9."),
    verb!("Write-Warning", [], "Tells a warning on the error stream.", parameters![
        "Message" List at 0 => "The text.",
    ], "Write-Warning 'n3 is paused'" => "Nothing else happens."),
    verb!("Write-Error", [], "Tells an error and goes on; the exit code is 3.", parameters![
        "Message" List at 0 => "The text.",
    ], "Write-Error 'VS1 has no backup'" => "Said, and remembered in $Error."),
    verb!("Set-Variable", ["sv"], "Sets $global:NAME: functions and script blocks of the whole session see it.", parameters![
        "Name" Text at 0 => "The name.",
        "Value" Any at 1 => "The value.",
    ], "Set-Variable site 'north'" => "The same as $global:site = 'north'."),
    verb!("Get-Content", ["cat"], "Reads the lines of a file.", parameters![
        "Path" Text at 0 of Completes::File => "The file.",
    ], "Get-Content orders.txt | Send-MsmqQueue VS1/private$/orders" => "A message per line."),
    verb!("Import-Csv", [], "Makes a record of each line of a CSV file; its first line names them.", parameters![
        "Path" Text at 0 of Completes::File => "The file.",
    ], "Import-Csv orders.csv | ForEach-Object { Send-MsmqQueue VS1/private$/orders $_.Text }" => "A message per line."),
    OUT_FILE,
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
    verb!("Get-History", ["history", "h"], "Shows the lines that were typed, with how they ended and how long they took.", parameters![
        "Pattern" Text at 0 => "Those that fit a pattern with * and ?.",
        "Last" Int => "The last so many (default 50).",
        "Failed" Switch => "Only those that failed.",
    ], "Get-History *Move-* -Failed" => "The moves that failed."),
    verb!("Start-Transcript", [], "Writes down what is typed and shown, as a script that runs again.", parameters![
        "Path" Text at 0 of Completes::File => "The file; it is replaced.",
        "Append" Switch => "Add to it.",
    ], "Start-Transcript night.rhai" => "hamq run night.rhai does it again."),
    verb!("Stop-Transcript", [], "Ends the transcript; its path.", parameters![],
        "Stop-Transcript" => "What follows is not written down."),
    verb!("ConvertTo-Runbook", [], "Takes the commands that did not fail out of a transcript.", parameters![
        "Path" Text at 0 of Completes::File => "The transcript.",
    ], "ConvertTo-Runbook night.rhai | Out-File move.rhai" => "A runbook of what has worked."),
    verb!("Get-HamqContext", ["ctx"], "Lists the contexts: clusters with names of one's own.", parameters![
        "Name" Text at 0 => "A pattern with * and ?.",
    ], "Get-HamqContext" => "The one in use has a star."),
    verb!("New-HamqContext", [], "Makes a context; Set-HamqContext uses it.", parameters![
        "Name" Text at 0 => "Its name.",
        "Cluster" Text at 1 of Completes::Cluster => "The cluster's name, or HOST[:PORT],… of its nodes.",
        "ReadOnly" Switch => "Nothing is changed there.",
        "Description" Text => "For people.",
        "Force" Switch => "Replace one of this name.",
    ], "New-HamqContext north '10.0.0.1,10.0.0.2' -ReadOnly" => "To look at, not to touch."),
    verb!("Set-HamqContext", ["usectx"], "Uses a context, now and in later sessions.", parameters![
        "Name" Text at 0 => "Its name.",
    ], "Set-HamqContext north" => "Later commands are for it."),
    verb!("Remove-HamqContext", [], "Forgets a context; the cluster stays as it is.", parameters![
        "Name" Text at 0 => "Its name.",
    ], "Remove-HamqContext north" => "Only the name is gone."),
    verb!("Get-ClusterAudit", [], "Shows who changed what from this machine, when, why, and what came of it.", parameters![
        "Command" Text at 0 => "Those whose command fits a pattern with * and ?.",
        "User" Text => "Those of users that fit a pattern.",
        "Last" Int => "The last so many (default 50).",
    ], "Get-ClusterAudit *Move-* | Format-List" => "All that is known of the moves."),
    verb!("Get-Date", [], "The time, in UTC.", parameters![], "Get-Date" => "Now."),
    verb!("Connect-Cluster", [], "Chooses the cluster for later commands.", parameters![
        "Name" Text at 0 of Completes::Cluster => "Its name, or HOST[:PORT],… of its nodes.",
    ], "Connect-Cluster lab" => "Later commands are for lab."),
];
