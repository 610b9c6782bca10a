//! `~/.aws/credentials`. Its readers agree on this much (botocore `configloader.py`, by Python's `configparser`;
//! aws-sdk-go `internal/ini`): a header, `key = value`, values that go on in indented lines, comments on lines of their
//! own. It must not take a line for one of these that a reader takes for another.

use super::lines::{Fault, Lines, is_silent};
use super::{Form, Found};

/// The shared credentials file of the AWS SDKs.
pub(crate) static AWS: Form = Form {
    name: "aws-credentials",
    find,
    head: |profile| Some(format!("[{profile}]")),
    parent: None,
    ends: |line, _| line.starts_with('['),
};

const COMMENTS: [char; 2] = ['#', ';'];

fn find(lines: &Lines<'_>, profile: &str) -> Result<Found, Fault> {
    let mut found = Found { place: lines.count(), ..Found::default() };
    // Whether there is a header above, whether it is the profile's, and whether there is a value that may go on.
    let (mut inside, mut own, mut value) = (false, false, false);
    for (number, line) in lines.all().filter(|(_, line)| !is_silent(line, &COMMENTS)) {
        let fault = |what| Fault { line: number, what };
        if line.starts_with('[') {
            let name = header(line).ok_or(fault("is not a header, [NAME]"))?;
            (inside, own, value) = (true, name == profile, false);
            if own {
                found.at.push(number..number);
            }
        } else if !inside {
            return Err(fault("stands before the first header"));
        } else if line.starts_with([' ', '\t']) {
            if !value || line.trim_start().starts_with('[') {
                return Err(fault("is indented and goes on from no value"));
            }
        } else if line.find(['=', ':']).is_some_and(|at| at > 0) {
            value = true;
        } else {
            return Err(fault("is neither a header, nor key = value"));
        }
        if let Some(at) = found.at.last_mut().filter(|_| own) {
            at.end = number + 1;
        }
    }
    Ok(found)
}

/// The profile that a header names, also in the form of `~/.aws/config`, which some SDKs take here.
fn header(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix('[')?.split_once(']')?;
    let rest = rest.trim_start();
    let plain = rest.is_empty() || rest.starts_with(COMMENTS);
    if !plain || rest.contains(']') || name.contains('[') {
        return None;
    }
    let name = name.trim();
    let name =
        name.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(name).trim();
    Some(name.trim_matches(['"', '\'']))
}
