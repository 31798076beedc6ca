//! The line editor: one thin adapter per seam of reedline.
//!
//! ```text
//!  keys ── Reedline ──┬─ completer ── known (names, fetched aside)
//!                     ├─ highlighter, validator ── syntax
//!                     ├─ history.sqlite (exit code, duration)
//!                     └─ prompt <── events ──> lines above what is typed
//! ```

mod completer;
mod events;
mod highlighter;
mod known;
mod prompt;
mod validator;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use reedline::{
    DefaultHinter, DescriptionMode, EditMode, Emacs, ExternalPrinter, IdeMenu, KeyCode,
    KeyModifiers, Keybindings, ListMenu, MenuBuilder as _, Reedline, ReedlineEvent, ReedlineMenu,
    SqliteBackedHistory, Vi, default_emacs_keybindings, default_vi_insert_keybindings,
    default_vi_normal_keybindings, default_vi_visual_keybindings,
};

use crate::session::Invoke;

pub use completer::Completion;
pub use events::Watch;
pub use prompt::{Line, Status};
pub use validator::Complete;

/// The file of past lines, in the home folder.
pub const HISTORY_FILE: &str = "history.sqlite";
/// What F1 gives back to the prompt.
pub const HELP_KEY: &str = "help";
/// So many lines about the cluster wait to be told.
const NEWS_MAX: usize = 64;

/// What a person may choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// Keys of vi, not of emacs.
    pub vi: bool,
    /// Words that become others when a blank follows.
    pub abbreviations: HashMap<String, String>,
}

/// An editor whose history lies in `home`, and where to send lines that are to stand above what is typed.
#[must_use]
pub fn open(
    home: &Path,
    invoke: Arc<dyn Invoke>,
    preferences: &Preferences,
) -> (Reedline, std::sync::mpsc::SyncSender<String>) {
    let menu = IdeMenu::default()
        .with_name("completion")
        .with_marker("> ")
        .with_default_border()
        .with_max_completion_height(10)
        .with_max_description_width(46)
        .with_description_mode(DescriptionMode::PreferRight);
    let past = ListMenu::default().with_name("history").with_marker("? ");
    let news = ExternalPrinter::new(NEWS_MAX);
    let sender = news.sender();
    let editor = Reedline::create()
        .with_completer(Box::new(Completion::new(invoke)))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_menu(ReedlineMenu::HistoryMenu(Box::new(past)))
        .with_validator(Box::new(Complete))
        .with_highlighter(Box::new(highlighter::Colours))
        .with_hinter(Box::new(DefaultHinter::default()))
        .with_history_exclusion_prefix(Some(" ".into()))
        .with_external_printer(news)
        .use_bracketed_paste(true)
        .with_ansi_colors(std::env::var_os("NO_COLOR").is_none());
    let editor = prefer(editor, preferences);
    // Without a place to write, the prompt works without a past.
    let editor = match SqliteBackedHistory::with_file(home.join(HISTORY_FILE), None, None) {
        Ok(history) => editor.with_history(Box::new(history)),
        Err(_) => editor,
    };
    (editor, sender)
}

/// The editor with other preferences.
#[must_use]
pub fn prefer(editor: Reedline, preferences: &Preferences) -> Reedline {
    let mode: Box<dyn EditMode> = match preferences.vi {
        true => {
            let mut insert = default_vi_insert_keybindings();
            keys(&mut insert);
            Box::new(Vi::new(
                insert,
                default_vi_normal_keybindings(),
                default_vi_visual_keybindings(),
            ))
        }
        false => {
            let mut emacs = default_emacs_keybindings();
            keys(&mut emacs);
            Box::new(Emacs::new(emacs))
        }
    };
    editor
        .with_edit_mode(mode)
        .with_abbreviations(preferences.abbreviations.clone())
}

/// Tab completes, F1 explains, F7 lists past lines.
fn keys(keys: &mut Keybindings) {
    let menu = |name: &str| {
        ReedlineEvent::UntilFound(vec![
            ReedlineEvent::Menu(name.into()),
            ReedlineEvent::MenuNext,
        ])
    };
    let help = ReedlineEvent::ExecuteHostCommand(HELP_KEY.into());
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, menu("completion"));
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::BackTab,
        ReedlineEvent::MenuPrevious,
    );
    keys.add_binding(
        KeyModifiers::SHIFT,
        KeyCode::BackTab,
        ReedlineEvent::MenuPrevious,
    );
    keys.add_binding(KeyModifiers::NONE, KeyCode::F(1), help);
    keys.add_binding(KeyModifiers::NONE, KeyCode::F(7), menu("history"));
}

/// The command that the cursor is in or behind, in the text before it.
#[must_use]
pub fn command_at(before: &str) -> Option<&'static str> {
    use crate::syntax::{TokenKind, Wanted, site, tokens};
    if let Wanted::Argument { spec, .. } = site(before).wanted {
        return Some(spec.name);
    }
    let (tokens, _) = tokens(before);
    let last = tokens
        .iter()
        .rfind(|token| token.kind == TokenKind::Command)?;
    let word = before.get(last.span.start..last.span.end)?;
    crate::cmdlet::find(word).map(|spec| spec.name)
}
