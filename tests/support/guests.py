"""Boot code for tests: says something on the serial port and then does one thing.

Put together by the assembler of examples/hello, whose own boot code says what each line means.
"""

import importlib.util
from pathlib import Path

_PATH = Path(__file__).parents[2] / "examples" / "hello" / "boot.py"
_SPEC = importlib.util.spec_from_file_location("examples_hello_boot", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
_boot = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_boot)

_SAY = """
    fa 31 c0 8e d8 8e d0 bc =origin fb fc
    be =message     ; mov  si, message
next:
    ac              ; lodsb
    84 c0           ; test al, al
    74 >done        ; jz   done
    ba f8 03        ; mov  dx, 0x3f8    COM1; QEMU's has always room
    ee              ; out  dx, al
    eb >next        ; jmp  next
done:
"""
_SHOW = """
    fa 31 c0 8e d8 8e d0 bc =origin fb fc
    be =message     ; mov  si, message
next:
    ac              ; lodsb
    84 c0           ; test al, al
    74 >done        ; jz   done
    b4 0e bb 07 00  ; mov  ah, 0x0e; mov bx, 7
    cd 10           ; int  0x10         (BIOS video services)
    eb >next        ; jmp  next
done:
"""
_HALT = """
halt:
    f4              ; hlt
    eb >halt        ; jmp  halt
"""
ENDS = {
    "halts": "",
    "writes 0x10": "b0 10 e6 f4",  # mov al, 0x10; out 0xf4, al
    "writes 0x11": "b0 11 e6 f4",
    "resets": "b0 fe e6 64",  # mov al, 0xfe; out 0x64, al: by way of the keyboard controller
    "powers off when told": """
    listen:
        ba fd 03 ec a8 01 74 >listen   ; mov dx, 0x3fd; in al, dx; test al, 1; jz listen
        b8 01 53 31 db cd 15
        b8 07 53 bb 01 00 b9 03 00 cd 15
    """,
    "powers off": """
        b8 01 53 31 db cd 15         ; mov ax, 0x5301; xor bx, bx; int 0x15   APM: connect
        b8 07 53 bb 01 00 b9 03 00 cd 15   ; AX=5307, BX=1 (all devices), CX=3 (off)
    """,
    "panics": "b0 01 ba 05 05 ee",  # mov al, 1; mov dx, 0x505; out dx, al (QEMU's pvpanic)
    "says it again": "be =message eb >next",
    "echoes": """
    wait:
        ba fd 03 ec a8 01 74 >wait   ; mov dx, 0x3fd; in al, dx; test al, 1; jz wait
        ba f8 03 ec ee eb >wait      ; mov dx, 0x3f8; in al, dx; out dx, al; jmp wait
    """,
    "types": """
    key:
        31 c0 cd 16                  ; xor ax, ax; int 0x16   BIOS keyboard services: wait
        b4 0e bb 07 00 cd 10         ; mov ah, 0x0e; mov bx, 7; int 0x10
        3c 0d 75 >key                ; cmp al, 0x0d; jne key
        b0 0a b4 0e cd 10 eb >key    ; mov al, 10; mov ah, 0x0e; int 0x10; jmp key
    """,
    "triple fault": "0f 01 1e =nothing cd 03",  # lidt [nothing]; int 3
    "writes to the disk": """
        b8 01 03    ; mov  ax, 0x0301   AH=3: write one sector
        bb =origin  ; mov  bx, origin   from here,
        b9 0a 00    ; mov  cx, 0x000a   track 0, sector 10 (counted from 1),
        ba 80 00    ; mov  dx, 0x0080   head 0, first hard disk
        cd 13       ; int  0x13         (BIOS disk services)
        b0 10 e6 f4
    """,
    "says what the second disk says": """
        b8 01 02    ; mov  ax, 0x0201   AH=2: read one sector
        bb 00 80    ; mov  bx, 0x8000   to here,
        b9 01 00    ; mov  cx, 0x0001   track 0, sector 1,
        ba 81 00    ; mov  dx, 0x0081   head 0, second hard disk
        cd 13       ; int  0x13
        be 00 80    ; mov  si, 0x8000
    more:
        ac 84 c0 74 >halt ba f8 03 ee eb >more
    """,
    "says the last bytes of the second disk's sector 0": """
        b8 01 02    ; mov  ax, 0x0201   AH=2: read one sector
        bb 00 80    ; mov  bx, 0x8000   to here,
        b9 01 00    ; mov  cx, 0x0001   track 0, sector 1,
        ba 81 00    ; mov  dx, 0x0081   head 0, second hard disk
        cd 13       ; int  0x13
        be fe 81    ; mov  si, 0x81fe
    more:
        ac 84 c0 74 >halt ba f8 03 ee eb >more
    """,
}


def assemble(listing: str, origin: int) -> bytes:
    """Return the bytes of a listing, as examples/hello/boot.py reads it."""
    code: bytes = _boot.assemble(listing, origin)
    return code


def says_and_ends(
    says: str, then: str = "writes 0x10", *, origin: int = _boot.ORIGIN, filler: int = 0
) -> bytes:
    """Return code for ``origin`` that says ``says`` and then does one of `ENDS`.

    ``filler`` zeros lie between the code and the text.
    """
    return _put_together(_SAY, says, then, origin, filler)


def _put_together(say: str, says: str, then: str, origin: int, filler: int) -> bytes:
    listing = say + ENDS[then] + _HALT + "nothing:\n" + "00 " * (6 + filler) + "\nmessage:\n"
    return assemble(listing, origin) + says.encode("ascii") + b"\0"


def boot_code(says: str, then: str) -> bytes:
    """Return up to 440 bytes that say ``says`` and then do one of `ENDS`."""
    return says_and_ends(says, then).ljust(_boot.ROOM, b"\0")


def on_screen(says: str, then: str) -> bytes:
    """Like `boot_code`, for the screen."""
    return _put_together(_SHOW, says, then, _boot.ORIGIN, 0).ljust(_boot.ROOM, b"\0")
