"""A picture as a file, and what says that it was injected.

A plan file holds nothing but what decides the bytes: where they lie, which range of which file
they are, and their digest.  So a source that was only touched leaves it as it was.  What we know
of files (size, time stamps) is kept elsewhere.

Two files make a plan: the text, and the blob with the metadata.  The text names the digest of the
blob, so that a blob of another run is never taken for ours.  A receipt is both in one file,
because it has to be replaced in one step.

The text has one line for each piece.  After an edit two plans have nearly all lines in common, and
what is in those need not be understood to know what differs.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from doit_diskimg.plan.content import DIGEST, FORMAT, digest_of
from doit_diskimg.plan.picture import Picture, Piece

quoted = json.encoder.encode_basestring_ascii
"""Text as JSON; a plan may have as many lines as a volume has files."""

_PIECES = '"pieces": ['
_END = "\n]}\n"

_METADATA = ', ""]'
"""How lines of metadata end: without a digest, so that the blob decides whether they are equal."""

FEW = 16
"""Names up to which it is quicker to look for each in the lines than to understand all lines."""


class Plan(NamedTuple):
    """A plan as it is stored."""

    text: bytes
    blob: bytes

    def lines(self) -> list[str]:
        """Return a line for each piece; see `decode_pieces`.  Raises what `total` raises."""
        self.total()
        body = self.text.decode("ascii").partition("\n")[2][: -len(_END)]
        return body.split(",\n") if body else []

    def total(self) -> int:
        """Return `total` of the pieces, at none of which it looks.

        Raises ValueError, KeyError or TypeError if the plan is not one that `encode_plan` returned.
        """
        head, newline, rest = self.text.partition(b"\n")
        if not head.endswith(_PIECES.encode()) or not (newline + rest).endswith(_END.encode()):
            raise ValueError("it is not whole")
        data = json.loads(head + b"]}")
        if data["format"] != FORMAT or data["digest"] != DIGEST:
            raise ValueError("written by another version")
        if data["blob"] != digest_of(self.blob):
            raise ValueError("the blob differs from the one that the plan was made with")
        return int(data["total"], 16)


def encode_plan(picture: Picture) -> Plan:
    """Return the picture as a plan; its notes and its outline are no part of it."""
    lines = [encode_piece(*piece) for piece in picture.pieces]
    return join(total(picture.pieces), lines, picture.blob)


def encode_piece(start: int, length: int, file: str, offset: int, digest: str) -> str:
    """Return a line of a plan."""
    return f"[{start}, {length}, {quoted(file)}, {offset}, {quoted(digest)}]"


def join(total_of_pieces: int, lines: Iterable[str], blob: bytes) -> Plan:
    """Return the plan with these lines, whose pieces have that `total`."""
    head = {
        "format": FORMAT,
        "digest": DIGEST,
        "blob": digest_of(blob),
        "total": f"{total_of_pieces % (1 << 128):032x}",
    }
    pieces = ",\n".join(lines)
    text = f"{json.dumps(head)[:-1]}, {_PIECES}\n{pieces}{_END}"
    return Plan(text.encode("ascii"), blob)


def total(pieces: Iterable[Piece]) -> int:
    """Return a number of 128 bits that changes with the contents and their places.

    It is the sum of the digests of all places with their contents; 2**128 is 0.  So of a picture
    with a few other pieces it can be told without looking at all the others.
    """
    from xxhash import xxh3_128_intdigest

    return sum(
        [
            xxh3_128_intdigest(f"{start} {length} {digest}".encode("ascii"))
            for start, length, _, _, digest in pieces
        ]
    )


def decode_plan(plan: Plan) -> Picture:
    """Return the picture of a plan.

    Raises ValueError, KeyError or TypeError when it is not what `encode_plan` returned.
    """
    return Picture(tuple(decode_pieces(plan.lines())), plan.blob)


def decode_pieces(lines: Iterable[str]) -> list[Piece]:
    """Return the pieces of these lines of a plan.  Raises ValueError or TypeError."""
    return list(map(Piece._make, json.loads(f"[{','.join(lines)}]")))


def lines_naming(lines: Sequence[str], files: Sequence[str]) -> list[int]:
    """Return the numbers of the lines that may matter to one who looks for the pieces of ``files``:
    all of theirs, all of metadata, and maybe others.
    """
    if len(files) > FEW:
        return list(range(len(lines)))
    found = [index for index, line in enumerate(lines) if line.endswith(_METADATA)]
    for file in files:
        name = f", {quoted(file)}, "
        found += [index for index, line in enumerate(lines) if name in line]
    return sorted({*found})


def decode_differing(old: Plan, new: Plan) -> tuple[Picture, Picture]:
    """Return both pictures without pieces that both have, which no difference concerns: they
    overlap no other in either.

    Raises what `decode_plan` raises.
    """
    before, after = old.lines(), new.lines()
    common = {*before} & {*after}
    if old.blob != new.blob:
        common = {line for line in common if not line.endswith(_METADATA)}
    return (
        Picture(tuple(decode_pieces([it for it in before if it not in common])), old.blob),
        Picture(tuple(decode_pieces([it for it in after if it not in common])), new.blob),
    )


# Receipts ----------------------------------------------------------------------------------------


def encode_receipt(plan: Plan, generation: str) -> bytes:
    """Return a receipt: this plan was injected into the image of that generation."""
    contents = f"{plan.total():032x} {digest_of(plan.blob)}"
    head = {
        "format": FORMAT,
        "generation": generation,
        "plan": len(plan.text),
        # What lies where, whichever files it comes from.
        "contents": digest_of(contents.encode("ascii")),
    }
    return json.dumps(head).encode("ascii") + b"\n" + plan.text + plan.blob


def encode_torn(generation: str) -> bytes:
    """Return what stands in a receipt's place while its part is written: its contents are unknown.
    """
    return json.dumps({"format": FORMAT, "generation": generation, "torn": True}).encode("ascii")


def _head(line: bytes) -> dict[str, Any]:
    """Return the first line of a receipt.  Raises ValueError if it can't be used."""
    head = json.loads(line)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError("written by another version")
    if "torn" in head:
        raise ValueError("the build that wrote its part of the image did not finish")
    return head


def decode_head(receipt: bytes) -> tuple[str, str]:
    """Return the generation of a receipt and the digest of the contents, without its plan.

    Raises ValueError if it is no receipt of ours.
    """
    head = _head(receipt.partition(b"\n")[0])
    return head["generation"], head["contents"]


def decode_receipt(receipt: bytes) -> tuple[str, Plan]:
    """Return the generation and the plan, which is not decoded yet.

    Raises ValueError if it is no receipt of ours.
    """
    line, _, rest = receipt.partition(b"\n")
    head = _head(line)
    length = head["plan"]
    return head["generation"], Plan(rest[:length], rest[length:])
