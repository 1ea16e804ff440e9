//! Text in place: whatever surrounds a URL, and however it is encoded there, only the URL changes.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::plan::testing::{EDGE, ORIGIN, SHIFT, Source, TARGET_EDGE, TARGET_ORIGIN, item};

/// How a URL is written into a text.
#[derive(Clone, Copy, Debug)]
enum Written {
    Plain,
    Schemeless,
    Backslashes,
    Unicode,
    Entities,
    Percent(u8),
    LowerPercent(u8),
    Json(u8),
}

const ALL: [Written; 12] = [
    Written::Plain,
    Written::Schemeless,
    Written::Backslashes,
    Written::Unicode,
    Written::Entities,
    Written::Percent(1),
    Written::Percent(2),
    Written::Percent(3),
    Written::LowerPercent(1),
    Written::LowerPercent(2),
    Written::Json(1),
    Written::Json(2),
];

impl Written {
    fn write(self, url: &str) -> String {
        match self {
            Self::Plain => url.to_owned(),
            Self::Schemeless => url.trim_start_matches("https:").to_owned(),
            Self::Backslashes => url.replace('/', "\\/"),
            Self::Unicode => url.replace('/', "\\u002F").replace('&', "\\u0026"),
            Self::Entities => url.replace('&', "&amp;").replace('/', "&#x2F;"),
            Self::Percent(times) => (0..times).fold(url.to_owned(), |url, _| encoded(&url, true)),
            Self::LowerPercent(times) => {
                (0..times).fold(url.to_owned(), |url, _| encoded(&url, false))
            }
            Self::Json(times) => (0..times).fold(url.to_owned(), |url, _| {
                let text = Value::from(url).to_string().replace('/', "\\/");
                format!("{{\"n\":52.10, \"u\" : {text}}}")
            }),
        }
    }
}

/// As `encodeURIComponent` does.
fn encoded(text: &str, upper: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let digits = format!("%{byte:02X}");
            out += &if upper { digits } else { digits.to_lowercase() };
        }
    }
    out
}

fn sent(text: &str) -> String {
    let body = Source::new().body(&item(&json!({ "body": text })));
    body["fields"]["body"].as_str().unwrap().to_owned()
}

/// Text that editors, programs and accidents leave around URLs. It never goes on with the path of one.
fn around() -> impl Strategy<Value = (String, String)> {
    let before = prop::sample::select(vec![
        "",
        "see ",
        "é — ",
        "<a href=\"",
        "<img src='",
        "{\"a\":1.50,\"b\":\"\\u00e9\",\"url\":",
        "[1,  2",
        "url(",
        "?w=1&u=",
        "100 % of 5 // 3 \\/ x ",
        "&quot;",
        "\\\"",
        "%zz%2",
        "https://elsewhere.test/?u=",
        "}{",
    ]);
    let after = prop::sample::select(vec![
        "",
        " and more",
        "\" alt=\"é\">",
        "' />",
        "\n\t52.10  12345678901234567890123",
        "?w=800&amp;h=3",
        "&w=100",
        "#top",
        "<br>",
        "\\\"}",
        "&quot;}",
        " {\"a\":1,\"a\":2}",
    ]);
    let noise = "[ a-z0-9é{}\\[\\]:,.%&\\\\/]{0,12}";
    (noise, before, after, noise).prop_map(|(left, before, after, right)| {
        (format!("{left} {before}"), format!("{after} {right}"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn only_the_urls_of_a_text_change(
        parts in prop::collection::vec((around(), 0..2_usize, 0..3_usize, 0..10_usize), 1..4),
    ) {
        let (mut text, mut expected) = (String::new(), String::new());
        for ((before, after), side, path, written) in parts {
            let path = ["/img/tram.jpg", "/docs/map.pdf", "/img/two%20words.jpg"][path];
            let (old, new) = [(EDGE, TARGET_EDGE), (ORIGIN, TARGET_ORIGIN)][side];
            let written = ALL[written];
            for (out, prefix) in [(&mut text, old), (&mut expected, new)] {
                *out += &before;
                *out += &written.write(&format!("{prefix}{path}"));
                *out += &after;
            }
        }
        prop_assert_eq!(sent(&text), expected);
    }

    #[test]
    fn only_the_urls_and_ids_of_json_in_a_text_change(
        written in prop::collection::vec((0..12_usize, 0..3_usize), 1..5),
        space in "[ \n\t]{0,3}",
        depth in 0..3_u8,
    ) {
        let mut fields = written.iter().enumerate().map(|(at, (written, path))| {
            let path = ["/img/tram.jpg", "/docs/map.pdf", "/gone.png"][*path];
            let url = |prefix: &str| {
                let url = ALL[*written].write(&format!("{prefix}{path}"));
                Value::from(format!("« {url}")).to_string()
            };
            let odd = format!("\"n\":{space}52.10,\"big\":12345678901234567890123,\"n\":1e2,\"t\":\"\\u00e9\\/\\ud800\",\"k{at}\":");
            (format!("{odd}{space}{}", url(EDGE)), format!("{odd}{space}{}", url(TARGET_EDGE)))
        }).collect::<Vec<_>>();
        fields.push((
            "\"l\":{\"contentid\" : 640, \"x\":1.0},\"s\":{\"sortids\":\"640 , 641\",\"referencename\":\"people\",\"fulllist\":false}".to_owned(),
            format!("\"l\":{{\"contentid\" : {}, \"x\":1.0}},\"s\":{{\"sortids\":\"{} , {}\",\"referencename\":\"t_people\",\"fulllist\":false}}", SHIFT + 640, SHIFT + 640, SHIFT + 641),
        ));
        let joined = |pick: fn(&(String, String)) -> &String| {
            let fields: Vec<&str> = fields.iter().map(|pair| &**pick(pair)).collect();
            let json = format!("{space}{{{}}}{space}", fields.join(&format!(",{space}")));
            (0..depth).fold(json, |json, _| format!("[1.0,{space}{}]", Value::from(json)))
        };
        // Beyond the depth that is looked into, ids in texts are text.
        prop_assert_eq!(sent(&joined(|pair| &pair.0)), joined(|pair| &pair.1));
    }
}

#[test]
fn an_emptied_id_goes_with_its_comma() {
    use crate::plan::{LeaveOut, Referent, payload};
    let source = Source::new();
    let text = "{\"sortids\": [640,  641 , 642], \"referencename\":\"people\"}";
    for (left_out, expected) in [
        (&[640][..], "[1000641 , 1000642]"),
        (&[641], "[1000640 , 1000642]"),
        (&[642], "[1000640,  1000641]"),
        (&[641, 642], "[1000640]"),
        (&[640, 641, 642], "[]"),
    ] {
        let leave_out: LeaveOut = left_out.iter().map(|id| Referent::Content(*id)).collect();
        let written = payload(
            &item(&json!({ "extra": text })),
            &source.context(),
            &crate::plan::testing::Shifted::default(),
            &leave_out,
            None,
        );
        let written = written.unwrap().body["fields"]["extra"].clone();
        let inside: Value = serde_json::from_str(written.as_str().unwrap()).unwrap();
        assert_eq!(inside["referencename"], "t_people");
        assert!(
            written.as_str().unwrap().contains(expected),
            "{left_out:?}: {written}"
        );
    }
}

#[test]
fn a_url_in_a_url_ends_where_its_parameter_ends() {
    let url = format!("{EDGE}/img/tram.jpg");
    for text in [
        format!("https://proxy.test/?u={}&w=100", encoded(&url, true)),
        format!("https://proxy.test/?u={}&amp;w=100", encoded(&url, true)),
        format!("https://proxy.test/?u={url}&w=100"),
        format!(
            "/_next/image?url={}&w=640&q=75 640w, x",
            encoded(&url, true)
        ),
        format!(
            "https://proxy.test/{}/300",
            encoded(&encoded(&url, true), true)
        ),
    ] {
        let expected = text.replace("demo", "copy");
        assert_eq!(sent(&text), expected);
    }
}

#[test]
fn deep_and_broken_json_is_text() {
    let deep = format!(
        "{}\"{EDGE}/img/tram.jpg\"{}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    for text in [
        deep,
        format!("{{\"a\": \"{EDGE}/img/tram.jpg\", }}"),
        format!("{{\"{EDGE}/img/tram.jpg\": 1}}"),
    ] {
        assert_eq!(sent(&text), text.replace("demo", "copy"));
    }
}
