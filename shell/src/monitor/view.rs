//! What the monitor knows and shows. Pure: news and keys come in, the screen is a function of it.

use std::collections::BTreeMap;

use hamq_core::api::explain::LogEntry;
use hamq_core::api::group::GroupInfo;
use hamq_core::api::node::NodeInfo;
use hamq_core::api::resource::ResourceInfo;

/// Data that is older than this is marked.
pub(super) const STALE_MS: u64 = 3_000;
/// Events kept.
const EVENTS_MAX: usize = 500;
/// Lines kept of what a command showed.
const OUTPUT_LINES_MAX: usize = 2_000;

/// Something that was learned.
#[derive(Debug)]
pub(super) enum News {
    /// Nodes, groups and resources; or why they could not be had.
    Cluster(Result<ClusterNews, String>),
    /// The queues of a virtual server.
    Queues(String, Result<Vec<QueueNews>, String>),
    /// The virtual servers there are.
    Servers(Vec<String>),
    /// The last lines of the cluster log.
    Events(Result<Vec<LogEntry>, String>),
    /// What a command showed.
    Output(String),
    /// A command that changes something asks whether it may.
    Question(String),
}

/// The cluster at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct ClusterNews {
    /// Its name.
    pub(super) name: String,
    /// Its nodes.
    pub(super) nodes: Vec<NodeInfo>,
    /// Its groups.
    pub(super) groups: Vec<GroupInfo>,
    /// Their resources.
    pub(super) resources: Vec<ResourceInfo>,
}

/// A queue at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct QueueNews {
    /// Its path name.
    pub(super) name: String,
    /// Messages in it.
    pub(super) depth: u64,
    /// Messages that ever came, since the queue manager started.
    pub(super) arrived: u64,
    /// Messages that ever left.
    pub(super) left: u64,
}

/// A queue with its rates.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct QueueLine {
    pub(super) news: QueueNews,
    /// Messages a second that come and go.
    pub(super) rate_in: f64,
    pub(super) rate_out: f64,
    /// When it was learned.
    pub(super) at_ms: u64,
}

/// A part of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Panel {
    Tree,
    Queues,
    Events,
}

/// What the queues are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Name,
    Depth,
    In,
    Out,
}

/// What keys mean now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// They move about.
    Watch,
    /// They write the filter.
    Filter,
    /// They write a command.
    Command(String),
    /// A command runs.
    Running(String),
    /// A command that runs asks whether it may change something.
    Question(String),
    /// Text to be read, from a line on.
    Reading {
        title: String,
        lines: Vec<String>,
        top: usize,
    },
}

/// The state of the monitor.
#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) allow_changes: bool,
    pub(super) cluster: ClusterNews,
    pub(super) cluster_at_ms: Option<u64>,
    pub(super) cluster_error: Option<String>,
    pub(super) queues: BTreeMap<(String, String), QueueLine>,
    pub(super) queue_errors: BTreeMap<String, String>,
    pub(super) events: Vec<LogEntry>,
    pub(super) events_error: Option<String>,
    pub(super) focus: Panel,
    pub(super) selected: [usize; 3],
    pub(super) filter: String,
    pub(super) sort: Sort,
    pub(super) mode: Mode,
    pub(super) paused: bool,
}

impl Monitor {
    /// One that knows nothing yet.
    pub(super) fn new(allow_changes: bool) -> Self {
        Self {
            allow_changes,
            cluster: ClusterNews::default(),
            cluster_at_ms: None,
            cluster_error: None,
            queues: BTreeMap::new(),
            queue_errors: BTreeMap::new(),
            events: Vec::new(),
            events_error: None,
            focus: Panel::Tree,
            selected: [0; 3],
            filter: String::new(),
            sort: Sort::Name,
            mode: Mode::Watch,
            paused: false,
        }
    }

    /// Takes news in; while paused, only what a command says.
    pub(super) fn learn(&mut self, news: News, now_ms: u64) {
        match news {
            News::Output(text) => self.read("output", &text),
            News::Question(text) => self.mode = Mode::Question(text),
            _ if self.paused => {}
            News::Cluster(Ok(cluster)) => {
                self.cluster = cluster;
                self.cluster_at_ms = Some(now_ms);
                self.cluster_error = None;
            }
            News::Cluster(Err(error)) => self.cluster_error = Some(error),
            News::Queues(server, Ok(queues)) => self.learn_queues(&server, queues, now_ms),
            News::Queues(server, Err(error)) => {
                self.queue_errors.insert(server, error);
            }
            News::Servers(servers) => {
                self.queues
                    .retain(|(server, _), _| servers.contains(server));
                self.queue_errors
                    .retain(|server, _| servers.contains(server));
            }
            News::Events(Ok(mut events)) => {
                let surplus = events.len().saturating_sub(EVENTS_MAX);
                events.drain(..surplus);
                self.events = events;
                self.events_error = None;
            }
            News::Events(Err(error)) => self.events_error = Some(error),
        }
        self.keep_selection();
    }

    fn learn_queues(&mut self, server: &str, queues: Vec<QueueNews>, now_ms: u64) {
        self.queue_errors.remove(server);
        let mut before = std::mem::take(&mut self.queues);
        before.retain(|(of, name), line| {
            let is_other = of != server;
            if is_other {
                self.queues.insert((of.clone(), name.clone()), line.clone());
            }
            !is_other
        });
        for news in queues {
            let key = (server.to_owned(), news.name.clone());
            let line = match before.get(&key) {
                Some(old) => old.next(news, now_ms),
                None => QueueLine {
                    news,
                    at_ms: now_ms,
                    ..QueueLine::default()
                },
            };
            self.queues.insert(key, line);
        }
    }

    /// Shows a text until it is closed.
    pub(super) fn read(&mut self, title: &str, text: &str) {
        self.mode = Mode::Reading {
            title: title.to_owned(),
            lines: text
                .lines()
                .take(OUTPUT_LINES_MAX)
                .map(str::to_owned)
                .collect(),
            top: 0,
        };
    }

    /// The queues that pass the filter, sorted.
    pub(super) fn shown_queues(&self) -> Vec<(&str, &QueueLine)> {
        let all = self.queues.iter();
        let mut shown: Vec<_> = all
            .filter(|(_, line)| self.passes(&line.news.name))
            .map(|((server, _), line)| (server.as_str(), line))
            .collect();
        match self.sort {
            Sort::Name => {}
            Sort::Depth => shown.sort_by_key(|(_, line)| std::cmp::Reverse(line.news.depth)),
            Sort::In => shown.sort_by(|a, b| b.1.rate_in.total_cmp(&a.1.rate_in)),
            Sort::Out => shown.sort_by(|a, b| b.1.rate_out.total_cmp(&a.1.rate_out)),
        }
        shown
    }

    /// The events that pass the filter, the last first.
    pub(super) fn shown_events(&self) -> Vec<&LogEntry> {
        let passing = |e: &&LogEntry| {
            let group = e.group.as_deref().unwrap_or_default();
            self.passes(&e.text) || self.passes(&e.node) || self.passes(group)
        };
        self.events.iter().rev().filter(passing).collect()
    }

    /// Whether a text has the filter in it, ignoring case.
    pub(super) fn passes(&self, text: &str) -> bool {
        self.filter.is_empty() || text.to_lowercase().contains(&self.filter.to_lowercase())
    }

    /// How old the data of the cluster is.
    pub(super) fn age_ms(&self, now_ms: u64) -> Option<u64> {
        self.cluster_at_ms.map(|at| now_ms.saturating_sub(at))
    }

    /// How many lines a panel has.
    pub(super) fn length(&self, panel: Panel) -> usize {
        match panel {
            Panel::Tree => super::tree::lines(self).len(),
            Panel::Queues => self.shown_queues().len(),
            Panel::Events => self.shown_events().len(),
        }
    }

    /// Keeps the selection on lines that are there.
    pub(super) fn keep_selection(&mut self) {
        for panel in [Panel::Tree, Panel::Queues, Panel::Events] {
            let last = self.length(panel).saturating_sub(1);
            let selected = self.selected_mut(panel);
            *selected = (*selected).min(last);
        }
    }

    pub(super) const fn selected(&self, panel: Panel) -> usize {
        let [tree, queues, events] = self.selected;
        match panel {
            Panel::Tree => tree,
            Panel::Queues => queues,
            Panel::Events => events,
        }
    }

    pub(super) const fn selected_mut(&mut self, panel: Panel) -> &mut usize {
        let [tree, queues, events] = &mut self.selected;
        match panel {
            Panel::Tree => tree,
            Panel::Queues => queues,
            Panel::Events => events,
        }
    }
}

impl QueueLine {
    /// The same queue later. Totals that went back belong to a queue manager that has just started.
    fn next(&self, news: QueueNews, now_ms: u64) -> Self {
        let ms = now_ms.saturating_sub(self.at_ms);
        let rate = |before: u64, after: u64| match after.checked_sub(before) {
            Some(change) if ms > 0 => {
                let change = u32::try_from(change).map_or(f64::from(u32::MAX), f64::from);
                change * 1_000.0 / u32::try_from(ms).map_or(f64::from(u32::MAX), f64::from)
            }
            _ => 0.0,
        };
        Self {
            rate_in: rate(self.news.arrived, news.arrived),
            rate_out: rate(self.news.left, news.left),
            news,
            at_ms: now_ms,
        }
    }
}
