//! `HAMQ lab> `: the cluster, what is wrong with it, and what may not be done.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use reedline::{
    DefaultPrompt, DefaultPromptSegment, Prompt, PromptEditMode, PromptHistorySearch, PromptViMode,
};

/// What the prompt tells, shared with who finds it out.
#[derive(Clone, Default)]
pub struct Status(Arc<Mutex<Told>>);

/// What is known of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The chosen one.
    pub cluster: Option<String>,
    /// `no quorum`, `unreachable`; nothing while all is well.
    pub trouble: Option<&'static str>,
    /// Nothing may be changed.
    pub read_only: bool,
}

impl Status {
    /// What is told now.
    #[must_use]
    pub fn get(&self) -> Told {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.clone()
    }

    /// Changes what is told; whether that is anything new.
    pub fn change(&self, change: impl FnOnce(&mut Told)) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.clone();
        change(&mut told);
        *told != before
    }
}

/// See the module.
pub struct Line {
    /// What it tells.
    pub status: Status,
    base: DefaultPrompt,
}

impl Line {
    /// A prompt on `status`.
    #[must_use]
    pub fn new(status: Status) -> Self {
        let empty = || DefaultPromptSegment::Empty;
        Self {
            status,
            base: DefaultPrompt::new(empty(), empty()),
        }
    }

    fn text(&self) -> String {
        let told = self.status.get();
        let mut text = "HAMQ".to_owned();
        if let Some(cluster) = &told.cluster {
            text = format!("{text} {cluster}");
        }
        if let Some(trouble) = told.trouble.filter(|_| told.cluster.is_some()) {
            text = format!("{text} [{trouble}]");
        }
        match told.read_only {
            true => text + " (read-only)",
            false => text,
        }
    }
}

impl Prompt for Line {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        self.text().into()
    }
    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }
    fn render_prompt_indicator(&self, mode: PromptEditMode) -> Cow<'_, str> {
        match mode {
            PromptEditMode::Vi(PromptViMode::Normal) => ": ".into(),
            _ => "> ".into(),
        }
    }
    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        self.base.render_prompt_multiline_indicator()
    }
    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let text = self.base.render_prompt_history_search_indicator(search);
        text.into_owned().into()
    }
}
