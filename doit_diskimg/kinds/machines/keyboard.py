"""The keys of a US keyboard that a text takes, by QEMU's names of them (QKeyCode)."""

_NAMED = {
    " ": "spc", "\n": "ret", "\r": "ret", "\t": "tab", "\b": "backspace", "\x1b": "esc",
    "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right", ";": "semicolon",
    "'": "apostrophe", "`": "grave_accent", "\\": "backslash", ",": "comma", ".": "dot",
    "/": "slash",
}  # fmt: skip
_SHIFTED = dict(zip('!@#$%^&*()_+{}:"~|<>?', "1234567890-=[];'`\\,./", strict=True))


def keys_of(text: str) -> list[tuple[str, ...]] | None:
    """Return the keys to press for each character, together; None if one of them has no key."""
    pressed = [_keys(char) for char in text]
    return None if () in pressed else pressed


def _keys(char: str) -> tuple[str, ...]:
    if char in _SHIFTED or (char.isascii() and char.isupper()):
        return ("shift", *_keys(_SHIFTED.get(char, char.lower())))
    if char in _NAMED:
        return (_NAMED[char],)
    return (char,) if char.isascii() and char.isalnum() else ()
