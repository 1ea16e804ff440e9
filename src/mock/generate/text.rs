//! Words, names and dates of generated rows.

use rand::RngExt;

use super::instance::Dice;

/// The vocabulary of one language. Both have the same counts, so that a translation draws the same choices.
pub(super) struct Words {
    adjectives: [&'static str; 16],
    nouns: [&'static str; 16],
    sentences: [&'static str; 16],
}

/// The vocabulary for a locale: French for `fr-…`, English for all others.
pub(super) fn words(locale: &str) -> &'static Words {
    if locale.starts_with("fr") {
        &FRENCH
    } else {
        &ENGLISH
    }
}

impl Words {
    /// A title that belongs to one item: the same number gives the same title.
    pub(super) fn title(&self, number: usize) -> String {
        let adjective = self.adjectives[number % 16];
        let noun = self.nouns[number / 16 % 16];
        format!("{adjective} {noun} {number}")
    }

    /// One sentence.
    pub(super) fn sentence(&self, dice: &mut Dice) -> &'static str {
        self.sentences[dice.random_range(0..16)]
    }

    /// Some sentences in a row.
    pub(super) fn paragraph(&self, dice: &mut Dice, sentences: usize) -> String {
        let chosen: Vec<_> = (0..sentences).map(|_| self.sentence(dice)).collect();
        chosen.join(" ")
    }
}

/// A name in the form that URLs and reference names take: lower-case words with dashes.
pub(super) fn slug(text: &str) -> String {
    let parts: Vec<_> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("-").to_ascii_lowercase()
}

/// A field name as the Fetch API writes it: spaces gone, first letter in lower case (reference page on
/// content items, field keys).
pub(super) fn camel(name: &str) -> String {
    let mut key = String::with_capacity(name.len());
    for (index, word) in name.split(' ').enumerate() {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            if index == 0 {
                key.push(first.to_ascii_lowercase());
            } else {
                key.push(first.to_ascii_uppercase());
            }
        }
        key.push_str(letters.as_str());
    }
    key
}

/// A minute of the year 2025.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
}

impl Moment {
    /// Any minute.
    pub(super) fn draw(dice: &mut Dice) -> Self {
        Self {
            month: dice.random_range(1..=12),
            day: dice.random_range(1..=28),
            hour: dice.random_range(0..24),
            minute: dice.random_range(0..60),
        }
    }

    /// As most rows have it: ISO 8601 without zone, with a fraction.
    pub(super) fn iso(self) -> String {
        let Self { month, day, .. } = self;
        format!("2025-{month:02}-{day:02}T{}", self.clock())
    }

    /// As containers have it: `02/11/2025 02:05PM`.
    pub(super) fn american(self) -> String {
        let half = if self.hour < 12 { "AM" } else { "PM" };
        let hour = match self.hour % 12 {
            0 => 12,
            hour => hour,
        };
        let Self {
            month, day, minute, ..
        } = self;
        format!("{month:02}/{day:02}/2025 {hour:02}:{minute:02}{half}")
    }

    fn clock(self) -> String {
        format!("{:02}:{:02}:31.93", self.hour, self.minute)
    }
}

const ENGLISH: Words = Words {
    adjectives: [
        "Quiet", "Northern", "Early", "Open", "Green", "Winding", "Bright", "Small", "Distant",
        "Golden", "Busy", "Hidden", "Crowded", "Late", "Wooden", "Steady",
    ],
    nouns: [
        "Harbour", "Tram", "Market", "Bridge", "Orchard", "Library", "Ferry", "Kitchen",
        "Workshop", "Meadow", "Theatre", "Station", "Quarter", "Festival", "Canal", "Museum",
    ],
    sentences: [
        "At dawn the first tram crosses the river, and the bakers on the far bank have been up for hours.",
        "The council voted for the plan that keeps the old quay walls and opens the yard behind them.",
        "Nobody who was there that evening remembers who lit the lamps, only that they all came on at once.",
        "Repairs are due to end in spring, when the water is low enough to reach the last of the piles.",
        "Tickets are sold at the gate, and children who can name three birds of the marsh come in free.",
        "What began as a shelf of borrowed books is now a reading room with two hundred seats.",
        "The recipe needs patience more than skill: stir, wait, taste, and stir again.",
        "From the upper deck you can see as far as the lighthouse on a clear day.",
        "Engineers measured the span twice, since the first figures had seemed too good to be true.",
        "A short walk leads past the mill, over the weir, and back along the orchard wall.",
        "Volunteers meet every other Thursday, bring their own gloves, and stay for soup.",
        "The archive holds letters, plans and one pressed fern that no one has been able to explain.",
        "Prices have not changed since the reopening, and the owner means to keep it so.",
        "After the concert the crowd drifts to the square, where the stalls stay open until midnight.",
        "Her workshop repairs clocks of every size, from travel alarms to the one in the town hall.",
        "Whoever takes the early ferry shares it with crates of lettuce and a very old dog.",
    ],
};

const FRENCH: Words = Words {
    adjectives: [
        "Calme",
        "Petit",
        "Grand",
        "Vieux",
        "Joli",
        "Ancien",
        "Vaste",
        "Jeune",
        "Lointain",
        "Beau",
        "Nouveau",
        "Tranquille",
        "Haut",
        "Long",
        "Libre",
        "Simple",
    ],
    nouns: [
        "port",
        "tramway",
        "marché",
        "pont",
        "verger",
        "quai",
        "traversier",
        "atelier",
        "moulin",
        "pré",
        "théâtre",
        "jardin",
        "quartier",
        "festival",
        "canal",
        "musée",
    ],
    sentences: [
        "À l'aube, le premier tramway traverse la rivière et les boulangers sont debout depuis longtemps.",
        "Le conseil a choisi le projet qui garde les vieux murs du quai et ouvre la cour arrière.",
        "Personne ne se rappelle qui alluma les lampes ce soir-là, seulement qu'elles brillèrent ensemble.",
        "Les travaux finiront au printemps, quand l'eau sera assez basse pour atteindre les derniers pieux.",
        "Les billets se vendent à la porte et les enfants qui nomment trois oiseaux entrent sans payer.",
        "Une étagère de livres prêtés est devenue une salle de lecture de deux cents places.",
        "La recette demande de la patience plus que du talent : remuer, attendre, goûter, recommencer.",
        "Du pont supérieur, on voit jusqu'au phare par temps clair.",
        "Les ingénieurs ont mesuré la travée deux fois, tant les premiers chiffres semblaient bons.",
        "Une courte promenade passe devant le moulin, par-dessus le barrage et le long du verger.",
        "Les bénévoles se réunissent un jeudi sur deux, apportent leurs gants et restent pour la soupe.",
        "Les archives conservent des lettres, des plans et une fougère que nul ne sait expliquer.",
        "Les prix n'ont pas changé depuis la réouverture, et la patronne entend bien les garder.",
        "Après le concert, la foule gagne la place, où les étals restent ouverts jusqu'à minuit.",
        "Son atelier répare des horloges de toute taille, du réveil de voyage à celle de la mairie.",
        "Qui prend le premier traversier le partage avec des caisses de laitue et un très vieux chien.",
    ],
};
