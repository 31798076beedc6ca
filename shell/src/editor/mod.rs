//! The line editor: one thin adapter per seam of reedline.

mod completer;
mod highlighter;
mod validator;

use std::path::Path;
use std::sync::Arc;

use reedline::{
    ColumnarMenu, DefaultHinter, DefaultPrompt, DefaultPromptSegment, Emacs, FileBackedHistory,
    KeyCode, KeyModifiers, MenuBuilder as _, Reedline, ReedlineEvent, ReedlineMenu,
    default_emacs_keybindings,
};

use crate::session::Invoke;

pub use completer::Completion;
pub use validator::Complete;

const HISTORY_LINES_MAX: usize = 10_000;

/// An editor whose history lies in `home`.
#[must_use]
pub fn open(home: &Path, invoke: Arc<dyn Invoke>) -> Reedline {
    let mut keys = default_emacs_keybindings();
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::Tab,
        ReedlineEvent::UntilFound(vec![
            ReedlineEvent::Menu("completion".into()),
            ReedlineEvent::MenuNext,
        ]),
    );
    let menu = ColumnarMenu::default()
        .with_name("completion")
        .with_marker("> ");
    let editor = Reedline::create()
        .with_completer(Box::new(Completion::new(invoke)))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_validator(Box::new(Complete))
        .with_highlighter(Box::new(highlighter::Colours))
        .with_hinter(Box::new(DefaultHinter::default()))
        .use_bracketed_paste(true);
    let editor = editor.with_ansi_colors(std::env::var_os("NO_COLOR").is_none());
    // Without a place to write, the prompt works without a past.
    match FileBackedHistory::with_file(HISTORY_LINES_MAX, home.join("history.txt")) {
        Ok(history) => editor.with_history(Box::new(history)),
        Err(_) => editor,
    }
}

/// `HAMQ lab> `.
#[must_use]
pub fn prompt(cluster: Option<String>) -> DefaultPrompt {
    let name = cluster.map(|name| format!(" {name}")).unwrap_or_default();
    DefaultPrompt::new(
        DefaultPromptSegment::Basic(format!("HAMQ{name}")),
        DefaultPromptSegment::Empty,
    )
}
