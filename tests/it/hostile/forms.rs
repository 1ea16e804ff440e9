//! A credential in the forms in which servers and gateways repeat it.

/// Every form, as a whole.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let each = |show: fn(u8) -> String| secret.bytes().map(show).collect::<String>();
    let percent = each(|byte| format!("%{byte:02X}"));
    vec![
        secret.to_owned(),
        secret.to_uppercase(),
        secret.to_lowercase(),
        secret.replace('/', "%2F").replace('+', "%2b"),
        percent.to_lowercase(),
        percent.replace('%', "%25"),
        percent,
        each(|byte| format!("\\u{byte:04x}")),
        each(|byte| format!("&#{byte};")),
        each(|byte| format!("&#x{byte:X};")),
        secret.replace('/', "&#x2F;").replace('+', "&#43;"),
        each(|byte| format!("{byte:02x}")),
        each(|byte| format!("{byte:02X}")),
        base64(secret.as_bytes()),
        base64(format!("Bearer {secret}").as_bytes()),
        base64(format!("u:{secret}").as_bytes()),
        base64(format!("me:{secret}\n").as_bytes())
            .replace('+', "-")
            .replace('/', "_"),
    ]
}

/// What must not be found anywhere: the forms, without what of them depends on their neighbours.
pub(crate) fn traces(secret: &str) -> Vec<String> {
    let all = forms(secret);
    let (plain, encoded) = all.split_at(13);
    let middle = |form: &String| form[8..form.len() - 4].to_owned();
    plain
        .iter()
        .cloned()
        .chain(encoded.iter().map(middle))
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    let digits: Vec<char> = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain("+/".chars())
        .collect();
    let group = |group: &[u8]| -> String {
        let number = group
            .iter()
            .fold(0, |all, byte| all << 8 | usize::from(*byte))
            << (8 * (3 - group.len()));
        let shown = |at: usize| {
            if at <= group.len() {
                digits[number >> (18 - 6 * at) & 63]
            } else {
                '='
            }
        };
        (0..4).map(shown).collect()
    };
    bytes.chunks(3).map(group).collect()
}
