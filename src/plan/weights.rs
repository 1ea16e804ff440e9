//! The relative cost of a save of each kind, for priorities.

use crate::domain::Kind;

/// Milliseconds that a step of a chain takes, by the kind of what is saved: from its request to the answer that lets the
/// next one go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// A model, container, template or gallery.
    pub save_ms: f64,
    /// The upload of an asset.
    pub asset_ms: f64,
    /// A content item with the batch that it is in.
    pub item_ms: f64,
    /// A page, which has a batch of its own.
    pub page_ms: f64,
}

impl Default for Weights {
    /// A guess for a host that nothing is known of: 60 ms for an answer, files that take twice as long, and items of which
    /// many share a batch.
    fn default() -> Self {
        Self {
            save_ms: 60.0,
            asset_ms: 120.0,
            item_ms: 20.0,
            page_ms: 150.0,
        }
    }
}

impl Weights {
    /// Of one entity, in whole milliseconds; at least 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a weight is positive, and one beyond 49 days is as good as 49 days"
    )]
    pub(super) const fn of(&self, kind: Kind) -> u32 {
        let ms = match kind {
            // 250 share a request, and nothing waits for one.
            Kind::Redirection => 1.0,
            Kind::Content => self.item_ms,
            Kind::Model | Kind::Container | Kind::Template | Kind::Gallery => self.save_ms,
            Kind::Asset => self.asset_ms,
            Kind::Page => self.page_ms,
        };
        if ms < 1.0 { 1 } else { ms as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_whole_and_never_nothing() {
        let weights = Weights {
            item_ms: 0.2,
            page_ms: 812.9,
            ..Weights::default()
        };
        assert_eq!(weights.of(Kind::Content), 1);
        assert_eq!(weights.of(Kind::Page), 812);
        assert_eq!(weights.of(Kind::Asset), 120);
    }
}
