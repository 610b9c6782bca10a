//! What the filter lets through, and what it must not, whatever way the input is cut.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

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

/// More forms than vector instructions can look for at once.
#[test]
fn many_secrets_are_found_as_few_are() {
    let many: Vec<String> = (0..100).map(|number| format!("{number:03}-secret-number")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(matches!(patterns(&many).heads, Heads::Blocks(_)));
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

/// What must come out: each byte of any occurrence is gone, each run of overlapping ones is one mark.
fn expected(forms: &BTreeSet<Vec<u8>>, input: &[u8]) -> Vec<u8> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for start in 0..input.len() {
        let longest = forms.iter().filter(|form| input[start..].starts_with(form)).map(Vec::len).max();
        let Some(end) = longest.map(|length| start + length) else { continue };
        match found.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => found.push((start, end)),
        }
    }
    let (mut out, mut at) = (Vec::new(), 0);
    for (start, end) in found {
        out.extend_from_slice(&input[at..start]);
        out.extend_from_slice(MARK);
        at = end;
    }
    out.extend_from_slice(&input[at..]);
    out
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
        let forms: BTreeSet<Vec<u8>> = secrets.iter().flat_map(|secret| forms::all(secret, Care::Full)).collect();
        let patterns = patterns(&secrets);
        let (mut rest, mut writes) = (input.as_bytes(), Vec::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (write, behind) = rest.split_at((*cut).min(rest.len()));
            writes.push(write);
            rest = behind;
        }
        let expected = expected(&forms, input.as_bytes());
        prop_assert_eq!(&masked(&patterns, writes).0, &expected);
        prop_assert_eq!(&masked(&patterns, [input.as_bytes()]).0, &expected);
    }

    #[test]
    fn the_first_head_is_found_wherever_it_is(
        heads in prop::collection::btree_set("[ab]{8}", 1..40),
        text in "[abc]{0,100}",
    ) {
        let naive = (0..text.len()).find(|&at| text.get(at..at + HEAD).is_some_and(|part| heads.contains(part)));
        let heads = heads.iter().filter_map(|head| head.as_bytes().first_chunk()).copied().collect();
        prop_assert_eq!(Blocks::new(heads).find(text.as_bytes()), naive);
    }
}
