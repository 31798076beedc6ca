//! What keys do. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::view::{Mode, Monitor, Panel, Sort};

/// What the screen has to do for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Leave.
    Quit,
    /// Run a command line.
    Run(String),
    /// End the command that runs.
    Cancel,
    /// The answer to the question.
    Answer(bool),
}

/// Longest filter or command line.
const LINE_CHARS_MAX: usize = 1_000;
/// Lines that a page key goes.
const PAGE: isize = 10;

const HELP: &str = "\
Tab           the next part: cluster, queues, events
Up Down       select a line (also j, k, PageUp, PageDown, Home, End)
Enter         all that is known of the selected line
/             filter every part: names, states, reasons; Esc takes it away
s             sort the queues: by name, depth, messages in, messages out
:             a command of the shell; what it shows comes up here
p             pause: nothing moves until it is pressed again
q             leave (also Ctrl-C)

Signs:  + online   ~ on its way   - offline or paused   ! failed or down
Commands that change something need Show-ClusterMonitor -AllowChanges, and are asked for.";

impl Monitor {
    /// A key was pressed.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Effect> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return Some(match self.mode {
                Mode::Running(_) => Effect::Cancel,
                Mode::Question(_) => self.answer(false),
                _ => Effect::Quit,
            });
        }
        match &mut self.mode {
            Mode::Watch => return self.press_watching(key.code),
            Mode::Filter => {
                match key.code {
                    KeyCode::Enter => self.mode = Mode::Watch,
                    KeyCode::Esc => {
                        self.filter.clear();
                        self.mode = Mode::Watch;
                    }
                    code => write(&mut self.filter, code),
                }
                self.keep_selection();
            }
            Mode::Command(line) => match key.code {
                KeyCode::Enter if line.trim().is_empty() => self.mode = Mode::Watch,
                KeyCode::Enter => {
                    let line = std::mem::take(line);
                    self.mode = Mode::Running(line.clone());
                    return Some(Effect::Run(line));
                }
                KeyCode::Esc => self.mode = Mode::Watch,
                code => write(line, code),
            },
            Mode::Running(_) if key.code == KeyCode::Esc => return Some(Effect::Cancel),
            Mode::Running(_) => {}
            Mode::Question(_) => {
                return match key.code {
                    KeyCode::Char('y' | 'Y') => Some(self.answer(true)),
                    KeyCode::Char('n' | 'N') | KeyCode::Esc | KeyCode::Enter => {
                        Some(self.answer(false))
                    }
                    _ => None,
                };
            }
            Mode::Reading { lines, top, .. } => match step(key.code) {
                Some(step) => *top = moved(*top, step, lines.len()),
                None => self.mode = Mode::Watch,
            },
        }
        None
    }

    fn answer(&mut self, yes: bool) -> Effect {
        self.mode = Mode::Running("…".to_owned());
        Effect::Answer(yes)
    }

    fn press_watching(&mut self, code: KeyCode) -> Option<Effect> {
        if let Some(step) = step(code) {
            let length = self.length(self.focus);
            let selected = self.selected_mut(self.focus);
            *selected = moved(*selected, step, length);
            return None;
        }
        match code {
            KeyCode::Char('q') => return Some(Effect::Quit),
            KeyCode::Tab => {
                self.focus = match self.focus {
                    Panel::Tree => Panel::Queues,
                    Panel::Queues => Panel::Events,
                    Panel::Events => Panel::Tree,
                }
            }
            KeyCode::BackTab => {
                self.focus = match self.focus {
                    Panel::Tree => Panel::Events,
                    Panel::Queues => Panel::Tree,
                    Panel::Events => Panel::Queues,
                }
            }
            KeyCode::Char('s') => {
                self.sort = match self.sort {
                    Sort::Name => Sort::Depth,
                    Sort::Depth => Sort::In,
                    Sort::In => Sort::Out,
                    Sort::Out => Sort::Name,
                }
            }
            KeyCode::Char('p') => self.paused = !self.paused,
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Char(':') => self.mode = Mode::Command(String::new()),
            KeyCode::Char('?') => self.read("keys", HELP),
            KeyCode::Enter => self.read_selected(),
            KeyCode::Esc => {
                self.filter.clear();
                self.keep_selection();
            }
            _ => {}
        }
        None
    }

    fn read_selected(&mut self) {
        let index = self.selected(self.focus);
        let text = match self.focus {
            Panel::Tree => super::tree::lines(self)
                .get(index)
                .map(|l| format!("{}\nState  {}\n\n{}", l.name, l.state, l.reason)),
            Panel::Queues => self.shown_queues().get(index).map(|(server, line)| {
                let news = &line.news;
                format!(
                    "{}\nServer  {server}\nMessages in it  {}\nArrived since the start  {}\nLeft since the start  {}",
                    news.name, news.depth, news.arrived, news.left
                )
            }),
            Panel::Events => self.shown_events().get(index).map(|e| {
                let group = e.group.as_deref().unwrap_or("-");
                format!("{}\nNode   {}\nLevel  {}\nGroup  {group}\n\n{}", e.time, e.node, e.level, e.text)
            }),
        };
        if let Some(text) = text {
            self.read("details", &text);
        }
    }
}

fn write(line: &mut String, code: KeyCode) {
    match code {
        KeyCode::Backspace => drop(line.pop()),
        KeyCode::Char(c) if line.chars().count() < LINE_CHARS_MAX => line.push(c),
        _ => {}
    }
}

const fn step(code: KeyCode) -> Option<isize> {
    Some(match code {
        KeyCode::Down | KeyCode::Char('j') => 1,
        KeyCode::Up | KeyCode::Char('k') => -1,
        KeyCode::PageDown => PAGE,
        KeyCode::PageUp => -PAGE,
        KeyCode::Home => isize::MIN,
        KeyCode::End => isize::MAX,
        _ => return None,
    })
}

fn moved(from: usize, step: isize, length: usize) -> usize {
    from.saturating_add_signed(step)
        .min(length.saturating_sub(1))
}
