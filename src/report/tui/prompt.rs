//! The question for a new token, when the target does not take the present one any more.

use std::fmt;

use crossterm::event::KeyCode;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::cells::Cells;
use super::popup::{WIDTH, popup};
use super::theme::{Look, Role};
use crate::domain::{Secret, Token};

/// What is typed, never to be seen.
#[derive(Clone, Default)]
pub(crate) struct Prompt {
    /// What a new token replaces. Without any there is no question.
    pub(crate) tokens: Vec<Token>,
    typed: String,
    /// Whether the user put the question aside until the token is refused again.
    aside: bool,
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt").finish_non_exhaustive()
    }
}

impl Prompt {
    /// Whether the question waits for an answer; `asked`: the run waits for a token.
    pub(crate) const fn is_open(&self, asked: bool) -> bool {
        asked && !self.aside && !self.tokens.is_empty()
    }

    /// Notes whether the run waits for a token: the next time, the question comes again.
    pub(crate) const fn follow(&mut self, asked: bool) {
        self.aside &= asked;
    }

    /// What a key does to the answer. Returns whether there is a new token now.
    pub(crate) fn key(&mut self, key: KeyCode) -> bool {
        match key {
            KeyCode::Char(sign) => self.typed.push(sign),
            KeyCode::Backspace => drop(self.typed.pop()),
            KeyCode::Esc => {
                self.typed.clear();
                self.aside = true;
            }
            KeyCode::Enter if !self.typed.trim().is_empty() => {
                let secret = Secret::new(&std::mem::take(&mut self.typed));
                self.answer(&secret);
                return true;
            }
            _ => {}
        }
        false
    }

    /// The token that is refused, or would be replaced.
    pub(crate) fn token(&self) -> Option<Secret> {
        self.tokens.first().map(Token::current)
    }

    /// Replaces the token; until it is refused again there is nothing to ask.
    pub(crate) fn answer(&mut self, secret: &Secret) {
        for token in &self.tokens {
            token.renew(secret.clone());
        }
        self.aside = true;
    }

    /// Draws the question in the middle of the area; `name` is that of the target, where there are several.
    pub(crate) fn draw(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        (look, name): (Look, Option<&str>),
    ) {
        let target = name.map_or_else(|| "The target".to_owned(), |name| format!("Target {name}"));
        let width = usize::from(area.width.min(WIDTH).saturating_sub(14));
        let shown = self.typed.chars().count().min(width);
        let line = |text: &str, role| Cells::new(look).gap(1).text(text, role).line();
        let lines = vec![
            line(
                &format!("{target} refuses the token; it may have expired."),
                Role::Text,
            ),
            line(
                "Requests wait. Paste a new token and press Enter.",
                Role::Text,
            ),
            line("", Role::Text),
            Cells::new(look)
                .gap(1)
                .text("token: ", Role::Strong)
                .text(&"*".repeat(shown), Role::Accent)
                .text("_", Role::Dim)
                .line(),
            line("Esc leaves the run paused, Ctrl-C ends it", Role::Dim),
        ];
        popup(frame, area, look, (" Token ", Role::Caution), lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(prompt: &mut Prompt, text: &str) {
        for sign in text.chars() {
            assert!(!prompt.key(KeyCode::Char(sign)));
        }
    }

    #[test]
    fn what_is_typed_replaces_the_token_and_shows_nowhere() {
        let token = Token::new(Secret::new("the-old-one"));
        let mut prompt = Prompt {
            tokens: vec![token.clone()],
            ..Prompt::default()
        };
        assert!(!prompt.is_open(false) && prompt.is_open(true));
        typed(&mut prompt, "the-new-onee");
        assert!(!prompt.key(KeyCode::Backspace));
        assert!(!format!("{prompt:?}").contains("new"));
        assert!(prompt.key(KeyCode::Enter));
        assert_eq!(token.current(), Secret::new("the-new-one"));
        // Until the token is refused again there is nothing to ask.
        assert!(!prompt.is_open(true));
        prompt.follow(false);
        assert!(prompt.is_open(true));
    }

    #[test]
    fn an_empty_answer_is_none_and_escape_puts_the_question_aside() {
        let mut prompt = Prompt {
            tokens: vec![Token::new(Secret::new("the-old-one"))],
            ..Prompt::default()
        };
        assert!(!prompt.key(KeyCode::Enter));
        assert!(prompt.is_open(true));
        assert!(!prompt.key(KeyCode::Esc));
        assert!(!prompt.is_open(true));
        assert!(!Prompt::default().is_open(true), "nothing to replace");
    }
}
