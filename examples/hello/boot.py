"""Boot code, and the smallest assembler that can make it.

The BIOS loads the first sector of the disk to 0x7C00 and jumps there, in 16-bit real mode.  440
bytes of that sector are ours; the partition table has the rest.
"""

ROOM = 440
ORIGIN = 0x7C00

# Bytes on the left, what they mean on the right.  `label:` names a place, `=label` is its address
# (2 bytes), `>label` the distance to it (1 byte), as the jumps want it.
LISTING = """
    fa             ; cli                 no interrupt may come while the stack moves
    31 c0          ; xor  ax, ax
    8e d8          ; mov  ds, ax         the BIOS leaves the segments as they happen to be:
    8e d0          ; mov  ss, ax         make them zero,
    bc =origin     ; mov  sp, origin     and let the stack grow down from below this code
    fb             ; sti
    fc             ; cld                 lodsb shall go forward

    b8 e3 00       ; mov  ax, 0x00e3     AH=0: set up a serial port, 9600 baud, 8N1,
    31 d2          ; xor  dx, dx         namely COM1
    cd 14          ; int  0x14           (BIOS serial services)

    be =message    ; mov  si, message
next:
    ac             ; lodsb               the next character into AL
    84 c0          ; test al, al
    74 >done       ; jz   done           a zero ends the message
    50             ; push ax             (the BIOS may change it)
    b4 0e          ; mov  ah, 0x0e       AH=0Eh: write the character to the screen,
    bb 07 00       ; mov  bx, 7          on page 0, in light grey
    cd 10          ; int  0x10           (BIOS video services)
    58             ; pop  ax
    b4 01          ; mov  ah, 1          AH=1: send it, once the line-status register
    31 d2          ; xor  dx, dx         of COM1 says that there is room
    cd 14          ; int  0x14
    eb >next       ; jmp  next

done:
    b0 10          ; mov  al, 0x10       QEMU with the device isa-debug-exit ends here, with
    e6 f4          ; out  0xf4, al       status 2 * 0x10 + 1; elsewhere no device
halt:
    f4             ; hlt                 sleep until an interrupt comes, and again
    eb >halt       ; jmp  halt
message:
"""


def assemble(listing: str, origin: int) -> bytes:
    """Put the bytes of ``listing`` together; it runs at address ``origin``."""
    labels = {"origin": origin}
    parts: list[str] = []  # one per byte; the second byte of an address is an empty string
    for line in listing.splitlines():
        for word in line.partition(";")[0].split():
            if word.endswith(":"):
                labels[word[:-1]] = origin + len(parts)
            else:
                parts += [word, ""] if word.startswith("=") else [word]

    code = bytearray()
    for part in parts:
        if part.startswith("="):
            code += labels[part[1:]].to_bytes(2, "little")
        elif part.startswith(">"):  # counted from the byte after this one
            distance = labels[part[1:]] - (origin + len(code) + 1)
            code += distance.to_bytes(1, "little", signed=True)
        elif part:
            code.append(int(part, 16))
    return bytes(code)


def hello(message: str) -> bytes:
    """Return boot code that prints ``message`` on the screen and on COM1, and halts.

    It is as long as its room whatever the message is, so that a longer one moves nothing.
    """
    text = f"{message}\r\n\0".encode("cp437")  # the characters a PC's screen knows by itself
    return (assemble(LISTING, ORIGIN) + text).ljust(ROOM, b"\0")
