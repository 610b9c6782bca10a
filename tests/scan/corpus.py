"""Files that hide a secret, and files that only seem to: by Python's own encoders and archivers, not by ci-creds'.

corpus.py FOLDER COUNT, with the secrets as a JSON list on standard input. The folder `hit` gets COUNT files, each with
one of the secrets; `miss` as many that have the beginning of one, or one with another last character.
"""

import base64
import gzip
import io
import json
import os
import random
import sys
import tarfile
import urllib.parse
import zipfile

# What ci-creds reads at a time: a secret across this border is one secret.
BORDER = 128 << 10


def shifted(text, before, encode):
    # Base64 leaves up to four bits of the last byte to the character that the next byte shares: a decoy without its
    # last byte must not go on with one that has the same first bits.
    return encode(b"x" * before + text.encode() + b"\xff and more").decode()


FORMS = {
    "plain": lambda text: text,
    **{f"base64-{n}": lambda text, n=n: shifted(text, n, base64.b64encode) for n in range(3)},
    **{f"url-safe-{n}": lambda text, n=n: shifted(text, n, base64.urlsafe_b64encode) for n in range(3)},
    **{f"lines-{n}": lambda text, n=n: shifted(text, 57 - 20 + n, base64.encodebytes) for n in range(3)},
    "base64-end": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-echo": lambda text: base64.b64encode(text.encode() + b"\n").decode(),
    "percent": lambda text: urllib.parse.quote(text, safe=""),
    "query": lambda text: urllib.parse.quote_plus(text),
    "json": lambda text: json.dumps({"a": text}),
    "json-in-json": lambda text: json.dumps(json.dumps({"a": text})),
}


class Unseekable(io.RawIOBase):
    """A pipe, as far as zipfile can tell: sizes then come behind the files."""

    def __init__(self):
        self.parts = []

    def writable(self):
        return True

    def write(self, data):
        self.parts.append(bytes(data))
        return len(data)


def tar(name, data, mode="w", form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=form) as archive:
        for path, content in (("first.txt", b"nothing"), (name, data)):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def zipped(name, data, method=zipfile.ZIP_DEFLATED, out=None):
    out = out or io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for path, content in (("first.txt", b"nothing"), (name, data)):
            archive.writestr(path, content)
    return b"".join(out.parts) if isinstance(out, Unseekable) else out.getvalue()


LONG = "folder/" * 40 + "file"
CONTAINERS = {
    "file": lambda data: data,
    "gzip": gzip.compress,
    "tar": lambda data: tar("file", data),
    "tar-long": lambda data: tar(LONG, data),
    "tar-gnu": lambda data: tar(LONG, data, form=tarfile.GNU_FORMAT),
    "tar.gz": lambda data: tar("file", data, "w:gz"),
    "zip": lambda data: zipped("file", data),
    "zip-stored": lambda data: zipped("file", data, zipfile.ZIP_STORED),
    "zip-streamed": lambda data: zipped("file", data, out=Unseekable()),
    "zip-stored-streamed": lambda data: zipped("file", data, zipfile.ZIP_STORED, Unseekable()),
    "tar.gz-in-zip": lambda data: zipped("a.tgz", tar("file", data, "w:gz")),
    "zip-in-stored-streamed-zip": lambda data: zipped(
        "a.zip", zipped("file", data), zipfile.ZIP_STORED, Unseekable()
    ),
    "zip-in-tar.gz": lambda data: tar("a.zip", zipped("file", data), "w:gz"),
    "zip-in-tar": lambda data: tar("a.zip", zipped("file", data)),
    "tar.gz-in-tar.gz": lambda data: tar("a.tgz", tar("file", data, "w:gz"), "w:gz"),
    "gzip-in-tar": lambda data: tar("a.gz", gzip.compress(data)),
}


def filler(chance, size):
    if chance.random() < 0.5:
        return chance.randbytes(size)
    words = [b"the", b"quick", b"key=", b'{"a":', b"\n", b"%20", b"AKIA", b"aGVs"]
    text = b" ".join(chance.choice(words) for _ in range(size // 3 + 1))
    return text[:size]


def place(chance, length):
    borders = [BORDER, 2 * BORDER, 512, 8192]
    return chance.choice([0, chance.randrange(300)] + [chance.choice(borders) - chance.randrange(length + 1)] * 4)


def main():
    folder, count = sys.argv[1], int(sys.argv[2])
    secrets = json.load(sys.stdin)
    chance = random.Random(22)
    cases = [(form, container) for form in FORMS for container in CONTAINERS]
    for number in range(count):
        form, container = cases[number * 7 % len(cases)] if count >= len(cases) else chance.choice(cases)
        secret = secrets[number % len(secrets)]
        other = secret[:-1] + ("A" if secret[-1] != "A" else "B")
        decoys = [other, secret[:-1], secret[: len(secret) // 2]]
        for kind, text in (("hit", secret), ("miss", chance.choice(decoys))):
            hidden = FORMS[form](text).encode()
            before = filler(chance, place(chance, len(hidden)))
            # What stands before base64 must not be taken for its first characters.
            data = before + b"\n " + hidden + b" \n" + filler(chance, chance.randrange(2000))
            path = os.path.join(folder, kind, f"{number:04}-{form}-{container}")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(CONTAINERS[container](data))


main()
