"""Reads files before and after a profile was put in, as the SDKs' parsers do: the others must read as before."""

import configparser
import json
import sys

import yaml


def ini(text):
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {name: dict(parser.items(name)) for name in parser.sections()}


def scw(text):
    whole = yaml.safe_load(text) or {}
    profiles = whole.pop("profiles", None) or {}
    return {"": whole} | {f"profile {name}": keys for name, keys in profiles.items()}


for case in json.load(sys.stdin):
    read, name = (ini, "ci") if case["form"] == "aws-credentials" else (scw, "profile ci")
    before, after = read(case["before"]), read(case["after"])
    assert after.pop(name) == case["values"], case
    assert after == before, case
print("ok")
