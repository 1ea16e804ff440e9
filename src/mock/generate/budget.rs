//! How many entities of each kind an instance gets.

/// The size from which on an instance is a whole site: what the kit takes, with some room.
pub const MINIMUM: usize = 160;

/// Items that the kit cannot do without, in one locale.
const KIT_ITEMS: usize = 56;
/// Pages of the kit, in one locale.
pub(super) const KIT_PAGES: usize = 14;

/// Counts per kind; their sum is the size asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) models: usize,
    pub(super) templates: usize,
    pub(super) containers: usize,
    pub(super) galleries: usize,
    pub(super) assets: usize,
    pub(super) redirections: usize,
    /// Content items, whatever their locales.
    pub(super) items: usize,
    /// Content items in a further locale.
    pub(super) translations: usize,
    /// Pages, whatever their locales.
    pub(super) pages: usize,
    /// Pages in a further locale.
    pub(super) page_translations: usize,
}

impl Budget {
    /// Splits `entities` in the proportions of a real site. `None` when they are too few for one.
    pub(super) fn of(entities: usize, locales: usize) -> Option<Self> {
        if entities < MINIMUM {
            return None;
        }
        let models = (entities / 120).clamp(11, 150);
        let templates = (entities / 800).clamp(2, 30);
        let containers = (entities / 50).max(15);
        let galleries = (entities / 90).max(2);
        let redirections = (entities / 50).max(3);
        let page_rows = (entities / 25).max(KIT_PAGES + 4);
        let fixed = models + templates + containers + galleries + redirections + page_rows;
        let content_floor = KIT_ITEMS * 13 / 10 + 1;
        let assets = (entities / 4).min(entities - fixed - content_floor);
        let (items, translations) = split(entities - fixed - assets, locales);
        let (pages, page_translations) = split(page_rows, locales);
        Some(Self {
            models,
            templates,
            containers,
            galleries,
            assets,
            redirections,
            items,
            translations,
            pages,
            page_translations,
        })
    }
}

/// Splits rows into things and their further locales, about three for every ten things.
fn split(rows: usize, locales: usize) -> (usize, usize) {
    if locales < 2 {
        return (rows, 0);
    }
    let things = (rows * 10).div_ceil(13);
    (things, rows - things)
}
