//! What the filter lets through, and what it must not, whatever way the input is cut.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

#[path = "../../../tests/fuzz/src/naive.rs"]
mod naive;

fn patterns(secrets: &[&str]) -> Arc<Patterns> {
    let secrets: Vec<Secret> = secrets.iter().map(|&text| text.into()).collect();
    Arc::new(Patterns::of(secrets.iter()).unwrap().unwrap())
}

/// What comes out for these writes, and how many bytes had come out after each.
fn masked<'a>(patterns: &Arc<Patterns>, writes: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<usize>) {
    let (mut filter, mut out, mut counts) = (Filter::new(Arc::clone(patterns)), Vec::new(), Vec::new());
    for write in writes {
        filter.push(write, &mut out);
        counts.push(out.len());
    }
    filter.finish(&mut out);
    (out, counts)
}

fn text(secrets: &[&str], input: &str) -> String {
    String::from_utf8(masked(&patterns(secrets), [input.as_bytes()]).0).unwrap()
}

const SECRET: &str = "s3cr/t+K\"ey?~>";

#[test]
fn every_form_is_masked() {
    let forms = [
        SECRET.to_owned(),
        STANDARD.encode(SECRET),
        URL_SAFE.encode(SECRET),
        "s3cr%2Ft%2BK%22ey%3F~%3E".to_owned(),
        "s3cr%2ft%2bK%22ey%3f~%3e".to_owned(),
        "s3cr/t%2BK%22ey%3F~%3E".to_owned(),
        r#"s3cr/t+K\"ey?~>"#.to_owned(),
        r#"s3cr\/t+K\"ey?~>"#.to_owned(),
        r#"s3cr/t+K\"ey?~\u003e"#.to_owned(),
        "s3cr%2Ft+K%22ey%3F~%3E".to_owned(),
        "s3cr/t+K%22ey?~%3E".to_owned(),
        "s3cr/t+K\"\"ey?~>".to_owned(),
        "s3cr&#x2F;t+K&quot;ey?~&gt;".to_owned(),
        "s3cr/t&#x2B;K&quot;ey?~&gt;".to_owned(),
    ];
    for form in forms {
        let out = text(&[SECRET], &format!("a {form} b"));
        assert_eq!(out, "a [MASKED] b", "{form}");
    }
    for before in ["", "u:", "user:", "x"] {
        let whole = STANDARD.encode(format!("{before}{SECRET}: and more"));
        assert!(text(&[SECRET], &whole).contains("[MASKED]"), "{before}");
    }
}

#[test]
fn lines_are_masked_one_by_one() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\nshort\n-----END KEY-----\n";
    assert_eq!(text(&[key], key), "[MASKED]");
    assert_eq!(text(&[key], "1: hkiG9w0BAQEFAASC\r\n2: short"), "1: [MASKED]\r\n2: short");
    assert_eq!(text(&[key], &serde_json::to_string(key).unwrap()), "\"[MASKED]\"");
}

/// They are looked for together, and not one by one.
#[test]
fn each_of_many_lines_that_begin_alike_is_masked() {
    let secret: String = (0..200).map(|number| format!("\u{e9}<{number:05}>/'\"&+\\\n")).collect();
    let patterns = patterns(&[&secret]);
    for line in secret.lines().step_by(9) {
        let json = serde_json::to_string(line).unwrap().replace('\u{e9}', "\\u00e9");
        let twice = serde_json::to_string(&json).unwrap();
        for text in [line.to_owned(), json.clone(), twice, json.replace("/'", "/")] {
            let expected = naive::masked(&patterns.written(), &[&secret], text.as_bytes());
            assert_eq!(masked(&patterns, text.as_bytes().chunks(3)).0, expected, "{text}");
        }
        assert_eq!(masked(&patterns, [json.as_bytes()]).0, b"\"[MASKED]\"", "{json}");
    }
}

/// The first and last line of PEM are in every certificate. Dashes elsewhere are letters as others are.
#[test]
fn dashes_are_left_alone_in_the_frame_of_pem_only() {
    for secret in ["-----hunter2hunter2hunter2-----", "cat---dog---pig---cow---owl", "-----END-----"] {
        for before in ["", "u", "us"] {
            let out = text(&[secret], &STANDARD.encode(format!("{before}{secret}")));
            let left = out.replace("[MASKED]", "").replace('=', "");
            assert!(left.len() <= 2 + before.len(), "{secret}: {out}");
        }
    }
    let pem = |body: &str| format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let other = STANDARD.encode(pem("7dHq2MsEoPplW1c4Bn5yRzVu"));
    assert_eq!(text(&[&pem("QnkUdRLbQ7Zzx8tq0aTgk2Lf")], &other), other);
}

#[test]
fn short_values_and_ordinary_text_are_left_alone() {
    assert!(Patterns::of([Secret::from("1234567")].iter()).unwrap().is_none());
    assert_eq!(text(&["12345678"], "1234567 8123456789"), "1234567 8[MASKED]9");
}

#[test]
fn overlaps_are_one_and_neighbours_are_two() {
    assert_eq!(text(&["abcdefgh", "efghijkl"], "<abcdefghijkl>"), "<[MASKED]>");
    assert_eq!(text(&["abcdefgh", "abcdefghijkl"], "<abcdefghijkl abcdefghij>"), "<[MASKED] [MASKED]ij>");
    assert_eq!(text(&["abcdefgh"], "abcdefghabcdefgh"), "[MASKED][MASKED]");
    assert_eq!(text(&["aaaaaaaa"], &"a".repeat(100_000)), "[MASKED]");
}

#[test]
fn many_secrets_are_found_as_few_are() {
    let many: Vec<String> = (0..100).map(|number| format!("{number:03}-secret-number")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let input = format!("{}<{}>{}", "x".repeat(1_000), many.join("|"), "y".repeat(1_000));
    let expected = format!("{}<{}>{}", "x".repeat(1_000), vec!["[MASKED]"; 100].join("|"), "y".repeat(1_000));
    for size in [1, 7, 8, 64, 5_000] {
        let (out, _) = masked(&patterns(&many), input.as_bytes().chunks(size));
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn a_prompt_comes_at_once_and_only_a_beginning_is_held() {
    let patterns = patterns(&["abcdefgh"]);
    let (out, counts) = masked(&patterns, [&b"Password: "[..], b"abcd", b"x", b"50%\r"]);
    assert_eq!(counts, [10, 10, 15, 19]);
    assert_eq!(out, b"Password: abcdx50%\r");
}

#[test]
fn other_secrets_take_over_in_the_middle() {
    let (one, other) = (patterns(&["abcdefgh"]), patterns(&["abcd1234"]));
    let (mut filter, mut out) = (Filter::new(one), Vec::new());
    filter.push(b"abcdefgh abcd", &mut out);
    filter.switch(&other, &mut out);
    filter.push(b"1234 abcdefgh", &mut out);
    filter.finish(&mut out);
    assert_eq!(out, b"[MASKED] [MASKED] abcdefgh");
}

/// Of every kind of secret, and of many.
#[test]
fn the_memory_is_a_multiple_of_the_size() {
    let mut numbers = 88_172_645_463_325_252_u64;
    let mut base64 = |length: usize| -> String {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut letter = || {
            numbers ^= numbers << 13;
            numbers ^= numbers >> 7;
            numbers ^= numbers << 17;
            char::from(letters[(numbers % 64) as usize])
        };
        (0..length).map(|_| letter()).collect()
    };
    let (value, line) = (base64(43), base64(100_000));
    let mut pem = |lines: usize| {
        let lines: String = (0..lines).map(|_| base64(64) + "\n").collect();
        format!("-----BEGIN PRIVATE KEY-----\n{lines}-----END PRIVATE KEY-----\n")
    };
    let key = pem(26);
    let account =
        format!("{{\n  \"type\": \"service_account\",\n  \"private_key\": {key:?},\n  \"id\": \"1\"\n}}\n");
    let short_lines: String = (0..400).map(|number| format!("<{number:03}>/'\"&+\\\n")).collect();
    let bundle: String = (0..140).map(|_| pem(23)).collect();
    let secrets = [
        ("a token", "hvs.CAESIJ1rq0kZkXbW".to_owned()),
        ("a key of one line", value),
        ("a key", key),
        ("an account", account),
        ("a long key", pem(150)),
        ("short lines", short_lines),
        ("one line", line),
        ("one letter", "a".repeat(100_000)),
        ("a bundle", bundle),
        ("many lines of eight letters", (0..20_000).map(|number| format!("\"{number:06}/\n")).collect()),
        (
            "many lines of odd letters",
            (0..20_000).map(|number| format!("\u{e9}<{number:05}>/'\"&+\\\n")).collect(),
        ),
    ];
    let values: Vec<String> = (0..1_500).map(|number| format!("<{number:04}>/'\"&+\\")).collect();
    let all: Vec<&str> = secrets.iter().map(|(_, secret)| secret.as_str()).collect();
    let many = [("all", all), ("many values", values.iter().map(String::as_str).collect())];
    for (name, secret) in secrets.iter().map(|(name, secret)| (*name, vec![secret.as_str()])).chain(many) {
        let size: usize = secret.iter().map(|secret| secret.len()).sum();
        let memory = patterns(&secret).memory();
        eprintln!("{name}: {size} bytes, {memory} bytes of memory, {:.1} times", memory as f64 / size as f64);
        assert!(memory <= TIMES * size + FIXED, "{name}: {size}, {memory}");
    }
    // Of more of them, the common forms are masked alone, and no more are taken than can be.
    let values: Vec<String> = (0..3_000).map(|number| format!("<{number:04}>/'\"&+\\")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let memory = patterns(&values).memory();
    assert!(memory <= TIMES * 13 * values.len() + FIXED, "{memory}");
    for form in [values[7].to_owned(), serde_json::to_string(values[7]).unwrap(), STANDARD.encode(values[7])]
    {
        let out = text(&values, &form);
        assert!(out.contains("[MASKED]"), "{form}: {out}");
    }
    let many: Vec<Secret> =
        (0..9_000).map(|number| Secret::from(format!("<{number:04}>/'").as_str())).collect();
    assert!(Patterns::of(many.iter()).is_err());
    let large = "x".repeat(8 << 20);
    assert!(Patterns::of([Secret::from(large.as_str())].iter()).is_err());
}

proptest! {
    #![proptest_config(crate::emit::tests::seeded())]
    #[test]
    fn any_cut_of_any_input_gives_the_same(
        secrets in prop::collection::vec("[ab]{8,12}|[abc/]{8,30}", 1..4),
        input in prop::collection::vec(prop_oneof![
            "[abc/]{0,40}", "[a-d \n]{0,300}", Just("\u{1}".to_owned()), Just("\u{2}".to_owned())
        ], 0..12),
        cuts in prop::collection::vec(1usize..60, 1..40),
    ) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let input = input.concat().replace('\u{1}', secrets[0]).replace('\u{2}', &STANDARD.encode(secrets[0]));
        let patterns = patterns(&secrets);
        let (mut rest, mut writes) = (input.as_bytes(), Vec::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (write, behind) = rest.split_at((*cut).min(rest.len()));
            writes.push(write);
            rest = behind;
        }
        let expected = naive::masked(&patterns.written(), &secrets, input.as_bytes());
        prop_assert_eq!(&masked(&patterns, writes).0, &expected);
        prop_assert_eq!(&masked(&patterns, [input.as_bytes()]).0, &expected);
    }

    /// In either alphabet, with anything around it, in lines of any width.
    #[test]
    fn any_base64_is_masked_as_a_simple_search_does_it(
        secrets in prop::collection::vec("[ab?~>]{8,30}|[a-c\n]{8,90}|[a-z \n-]{20,600}|(xyz){3,300}|(-----BEGIN K-----\n|-----END K-----\n|[a-c]{0,9}\n?|---){3,20}", 1..4),
        before in "[a-c]{0,5}",
        behind in "[a-c\n]{0,5}",
        url_safe in any::<bool>(),
        width in prop_oneof![1usize..12, 12usize..100, Just(100_000)],
        line_end in prop_oneof![Just("\n"), Just("\r\n"), Just("\n  "), Just("\r\n\t "), Just("\n\n")],
        part in (0usize..200, 0usize..3000),
        cut in 1usize..100,
    ) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let whole = format!("{before}{}{behind}", secrets[0]);
        let text = if url_safe { URL_SAFE.encode(whole) } else { STANDARD.encode(whole) };
        let lines: Vec<&[u8]> = text.as_bytes().chunks(width).collect();
        let lines = lines.join(line_end.as_bytes());
        let input = &lines[part.0.min(lines.len())..(part.0 + part.1).min(lines.len())];
        let patterns = patterns(&secrets);
        let expected = naive::masked(&patterns.written(), &secrets, input);
        prop_assert_eq!(&masked(&patterns, [input]).0, &expected);
        prop_assert_eq!(&masked(&patterns, input.chunks(cut)).0, &expected);
    }
}
