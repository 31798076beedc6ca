//! The screen as a function of the monitor. Pure: it draws into a buffer.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr as _;

use super::tree::{Standing, TreeLine, lines};
use super::view::{Mode, Monitor, Panel, QueueLine, STALE_MS, Sort};

/// Smaller than this nothing can be told.
const WIDTH_MIN: u16 = 40;
const HEIGHT_MIN: u16 = 10;
/// Columns of a state: `Offline`.
const STATE: usize = 7;
/// Columns of the figures of a queue: depth, in, out.
const FIGURE: usize = 7;

/// The colours, or none of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ink {
    pub(super) colour: bool,
}

impl Ink {
    const fn of(self, standing: Standing) -> Style {
        if !self.colour {
            return match standing {
                Standing::Bad => Style::new().add_modifier(Modifier::BOLD),
                _ => Style::new(),
            };
        }
        match standing {
            Standing::Good => Style::new().fg(Color::Green),
            Standing::Moving => Style::new().fg(Color::Yellow),
            Standing::Resting => Style::new().fg(Color::DarkGray),
            Standing::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        }
    }
}

/// Draws all of it as it is at `now_ms`.
pub(super) fn draw(frame: &mut Frame<'_>, monitor: &Monitor, now_ms: u64, ink: Ink) {
    let area = frame.area();
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        let text = format!("the monitor needs {WIDTH_MIN} columns and {HEIGHT_MIN} lines");
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let events = (area.height / 4).clamp(3, 12);
    let [head, body, log, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(events),
        Constraint::Length(1),
    ])
    .areas(area);
    let [left, right] =
        Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)])
            .spacing(1)
            .areas(body);
    header(frame, head, monitor, now_ms, ink);
    tree(frame, left, monitor, ink);
    queues(frame, right, monitor, now_ms, ink);
    log_lines(frame, log, monitor, ink);
    footer(frame, foot, monitor);
    match &monitor.mode {
        Mode::Reading { title, lines, top } => {
            let title = format!("{title}; any other key closes it");
            let lines: Vec<&str> = lines.iter().skip(*top).map(String::as_str).collect();
            reading(frame, body.union(log), &title, &lines);
        }
        Mode::Question(text) => reading(frame, log, "this changes something", &[text]),
        _ => {}
    }
}

fn header(frame: &mut Frame<'_>, area: Rect, monitor: &Monitor, now_ms: u64, ink: Ink) {
    let cluster = &monitor.cluster;
    let up = cluster
        .nodes
        .iter()
        .filter(|node| node.state == "Up")
        .count();
    let online = cluster
        .groups
        .iter()
        .filter(|group| group.state == "Online")
        .count();
    let mut parts = vec![Span::styled(
        format!(
            " {} ",
            if cluster.name.is_empty() {
                "cluster"
            } else {
                &cluster.name
            }
        ),
        Style::new().add_modifier(Modifier::REVERSED),
    )];
    parts.push(match monitor.cluster_at_ms {
        None => Span::raw("  asking…"),
        Some(_) => Span::raw(format!(
            "  nodes {up}/{} up  groups {online}/{} online",
            cluster.nodes.len(),
            cluster.groups.len()
        )),
    });
    let warn = ink.of(Standing::Bad);
    if monitor.paused {
        parts.push(Span::styled("  PAUSED", warn));
    }
    match monitor.age_ms(now_ms) {
        Some(age) if age > STALE_MS => {
            parts.push(Span::styled(format!("  {} s old", age / 1_000), warn));
        }
        _ => {}
    }
    if let Some(error) = &monitor.cluster_error {
        parts.push(Span::styled(format!("  {error}"), warn));
    } else if !monitor.allow_changes {
        parts.push(Span::raw("  read-only"));
    }
    frame.render_widget(Line::from(parts), area);
}

fn title(monitor: &Monitor, panel: Panel, text: &str) -> Block<'static> {
    let mut style = Style::new().add_modifier(Modifier::BOLD);
    if monitor.focus == panel {
        style = style.add_modifier(Modifier::REVERSED);
    }
    Block::new()
        .borders(Borders::TOP)
        .title(Span::styled(format!(" {text} "), style))
}

/// The first line to draw so that the selected one is seen.
const fn first(selected: usize, height: u16) -> usize {
    (selected + 1).saturating_sub(height as usize)
}

fn tree(frame: &mut Frame<'_>, area: Rect, monitor: &Monitor, ink: Ink) {
    let block = title(monitor, Panel::Tree, "nodes, groups, resources");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let all = lines(monitor);
    let named = |line: &TreeLine| 2 * line.indent + line.name.width();
    let wide = all.iter().map(named).max().unwrap_or(0).min(24);
    let selected = monitor.selected(Panel::Tree);
    let from = first(selected, inner.height);
    let rows = all
        .iter()
        .enumerate()
        .skip(from)
        .take(usize::from(inner.height));
    let rows = rows.map(|(index, line)| {
        let name = format!("{}{}", "  ".repeat(line.indent), line.name);
        let text = vec![
            Span::styled(format!("{} ", line.standing.sign()), ink.of(line.standing)),
            Span::raw(padded(&name, wide)),
            Span::styled(format!(" {:<STATE$} ", line.state), ink.of(line.standing)),
            Span::raw(line.reason.clone()),
        ];
        highlighted(
            Line::from(text),
            monitor.focus == Panel::Tree && index == selected,
        )
    });
    frame.render_widget(Paragraph::new(rows.collect::<Vec<_>>()), inner);
}

fn queues(frame: &mut Frame<'_>, area: Rect, monitor: &Monitor, now_ms: u64, ink: Ink) {
    let by = match monitor.sort {
        Sort::Name => "name",
        Sort::Depth => "depth",
        Sort::In => "in/s",
        Sort::Out => "out/s",
    };
    let block = title(monitor, Panel::Queues, &format!("queues by {by}"));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    let name_width = width.saturating_sub(3 * (FIGURE + 1));
    let head = format!(
        "{}{:>8}{:>8}{:>8}",
        padded("", name_width),
        "depth",
        "in/s",
        "out/s"
    );
    let mut rows = vec![Line::styled(head, Style::new().add_modifier(Modifier::DIM))];
    for (server, error) in &monitor.queue_errors {
        rows.push(Line::styled(
            format!("! {server}: {error}"),
            ink.of(Standing::Bad),
        ));
    }
    let room = usize::from(inner.height).saturating_sub(rows.len());
    let selected = monitor.selected(Panel::Queues);
    let from = (selected + 1).saturating_sub(room);
    let shown = monitor.shown_queues();
    for (index, (server, line)) in shown.iter().enumerate().skip(from).take(room) {
        let row = queue(server, line, name_width, now_ms, ink);
        rows.push(highlighted(
            row,
            monitor.focus == Panel::Queues && index == selected,
        ));
    }
    if shown.is_empty() && monitor.queue_errors.is_empty() {
        rows.push(Line::raw("none"));
    }
    frame.render_widget(Paragraph::new(rows), inner);
}

fn queue(server: &str, line: &QueueLine, width: usize, now_ms: u64, ink: Ink) -> Line<'static> {
    let short = line
        .news
        .name
        .rsplit(['\\', '/'])
        .next()
        .unwrap_or_default();
    let mut name = format!("{server} {short}");
    let age = now_ms.saturating_sub(line.at_ms);
    let stale = age > STALE_MS;
    if stale {
        name = format!("{name} ({} s old)", age / 1_000);
    }
    let figures = format!(
        "{:>8}{:>8.1}{:>8.1}",
        line.news.depth, line.rate_in, line.rate_out
    );
    let style = if stale {
        ink.of(Standing::Moving)
    } else {
        Style::new()
    };
    Line::styled(format!("{}{figures}", padded(&name, width)), style)
}

fn log_lines(frame: &mut Frame<'_>, area: Rect, monitor: &Monitor, ink: Ink) {
    let mut text = "events, the last first".to_owned();
    if !monitor.filter.is_empty() {
        text = format!("{text}; filter /{}", monitor.filter);
    }
    let block = title(monitor, Panel::Events, &text);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if let Some(error) = &monitor.events_error {
        frame.render_widget(
            Line::styled(format!("! {error}"), ink.of(Standing::Bad)),
            inner,
        );
        return;
    }
    let selected = monitor.selected(Panel::Events);
    let from = first(selected, inner.height);
    let shown = monitor.shown_events();
    let rows = shown
        .iter()
        .enumerate()
        .skip(from)
        .take(usize::from(inner.height));
    let rows = rows.map(|(index, event)| {
        let standing = match event.level.as_str() {
            "ERR" => Standing::Bad,
            "WARN" => Standing::Moving,
            _ => Standing::Resting,
        };
        let time = event.time.to_string();
        let clock = time.get(11..19).unwrap_or_default().to_owned();
        let row = Line::from(vec![
            Span::raw(format!("{clock} {} ", event.node)),
            Span::styled(format!("{:<4} ", event.level), ink.of(standing)),
            Span::raw(event.text.clone()),
        ]);
        highlighted(row, monitor.focus == Panel::Events && index == selected)
    });
    frame.render_widget(Paragraph::new(rows.collect::<Vec<_>>()), inner);
}

fn footer(frame: &mut Frame<'_>, area: Rect, monitor: &Monitor) {
    let text = match &monitor.mode {
        Mode::Watch | Mode::Reading { .. } => {
            " ? keys  Tab part  Enter details  / filter  s sort  : command  p pause  q leave"
                .to_owned()
        }
        Mode::Filter => format!("/{}_", monitor.filter),
        Mode::Command(line) => format!(":{line}_"),
        Mode::Running(line) => format!("{line} runs; Esc ends it"),
        Mode::Question(_) => " Do it? y/N".to_owned(),
    };
    // What is typed last is what must be seen.
    let width = usize::from(area.width);
    let surplus = match monitor.mode {
        Mode::Filter | Mode::Command(_) => text.chars().count().saturating_sub(width),
        _ => 0,
    };
    let text: String = text.chars().skip(surplus).collect();
    let style = Style::new().add_modifier(Modifier::REVERSED);
    frame.render_widget(Paragraph::new(padded(&text, width)).style(style), area);
}

fn reading(frame: &mut Frame<'_>, area: Rect, title: &str, text: &[&str]) {
    let block = Block::new()
        .borders(Borders::ALL)
        .title(format!(" {title} "));
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    let rows = text.iter().take(usize::from(inner.height));
    let rows: Vec<Line<'_>> = rows.map(|line| Line::raw(*line)).collect();
    frame.render_widget(Paragraph::new(rows).wrap(Wrap { trim: false }), inner);
}

fn highlighted(line: Line<'_>, selected: bool) -> Line<'_> {
    match selected {
        true => line.patch_style(Style::new().add_modifier(Modifier::REVERSED)),
        false => line,
    }
}

/// A text of exactly `width` columns; what is cut ends in an ellipsis.
fn padded(text: &str, width: usize) -> String {
    if text.width() <= width {
        return format!("{text}{}", " ".repeat(width - text.width()));
    }
    let mut out = String::new();
    for c in text.chars() {
        if out.width() + c.to_string().width() + 1 > width {
            break;
        }
        out.push(c);
    }
    if width > 0 {
        out.push('…');
    }
    out
}
