/* Stage 1: the boot code, bytes 0 to 439 of the disk.
 *
 * The BIOS loads the disk's first sector to 0x7C00 and jumps there in 16-bit real mode, with the
 * drive's number in DL.  We load stage 2, which lies right behind that sector, and jump on.  We
 * know where it lies and how long it may be, so nothing here has to be patched by an installer.
 */
    .intel_syntax noprefix
    .code16

    .section .text.start
    .globl start
start:
    cli                         /* no interrupt may come while the stack moves */
    xor     ax, ax
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     sp, STAGE1          /* the stack grows down from below us */
    sti
    cld
    ljmp    0, offset loaded    /* some BIOSes come here as 07C0:0000 instead of 0000:7C00 */

loaded:
    /* Reading by sector number (LBA) is an extension of 1995; ask for it. */
    mov     ah, 0x41
    mov     bx, 0x55AA
    push    dx
    int     0x13
    pop     dx
    jc      no_extensions
    cmp     bx, 0xAA55
    jne     no_extensions

    mov     ah, 0x42            /* AH=42h: read as the packet at DS:SI says */
    mov     si, offset packet
    push    dx
    int     0x13
    pop     dx                  /* stage 2 wants the drive's number too */
    jc      cannot_read

    cmp     dword ptr [STAGE2], 0
    je      no_stage2           /* the gap is empty: zeros */
    jmp     STAGE2

no_extensions:
    mov     si, offset no_extensions_text
    jmp     stop
cannot_read:
    mov     si, offset cannot_read_text
    jmp     stop
no_stage2:
    mov     si, offset no_stage2_text

/* Print the text at SI and stop. */
stop:
    lodsb
    test    al, al
    jz      halt
    mov     ah, 0x0E
    mov     bx, 7
    int     0x10
    jmp     stop
halt:
    hlt
    jmp     halt

no_extensions_text:
    .asciz  "stage 1: this BIOS cannot read by sector number"
cannot_read_text:
    .asciz  "stage 1: cannot read stage 2"
no_stage2_text:
    .asciz  "stage 1: there is no stage 2 at sector 1"

    .balign 4
packet:
    .byte   16, 0               /* length of this packet */
    .word   STAGE2_ROOM / 512   /* sectors; a stage 2 that is shorter has zeros behind it */
    .word   STAGE2, 0           /* to this offset, segment 0 */
    .quad   1                   /* from this sector */
