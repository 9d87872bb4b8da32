/* Stage 1: the boot code, bytes 0 to 439 of the disk.
 *
 * The BIOS loads the disk's first sector to 0x7C00 and jumps there in 16-bit real mode, with the
 * drive's number in DL.  We load stage 2 and the kernel, and jump to stage 2.
 *
 * Where they lie and how long they are is not known here: whoever builds the disk writes it into
 * the fields at the end of this file, which it finds by their names.  Files lie in one piece, so
 * that nobody has to read the file system.
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
    mov     [drive], dl
    /* Reading by sector number (LBA) is an extension of 1995; ask for it. */
    mov     ah, 0x41
    mov     bx, 0x55AA
    int     0x13
    mov     si, offset no_extensions_text
    jc      stop
    cmp     bx, 0xAA55
    jne     stop

    mov     eax, [stage2_lba]
    mov     cx, [stage2_sectors]
    mov     bx, STAGE2 / 16
    call    load
    mov     eax, [kernel_lba]
    mov     cx, [kernel_sectors]
    mov     bx, KERNEL / 16
    call    load

    mov     si, offset no_stage2_text
    cmp     dword ptr [STAGE2 + 4], MAGIC
    jne     stop
    jmp     STAGE2

/* Load CX sectors, from sector EAX of the disk on, to the segment BX.
 *
 * In steps of 32 KiB: no BIOS reads across a multiple of 64 KiB, some read 127 sectors at most.
 */
load:
    mov     [packet_lba], eax
    mov     [packet_segment], bx
    mov     di, 64
    cmp     cx, di
    jae     1f
    mov     di, cx
1:  mov     [packet_sectors], di
    push    eax
    push    bx
    push    cx
    mov     ah, 0x42            /* read as the packet at DS:SI says */
    mov     dl, [drive]
    mov     si, offset packet
    int     0x13
    mov     si, offset cannot_read_text
    jc      stop
    pop     cx
    pop     bx
    pop     eax
    movzx   edi, di
    add     eax, edi
    add     bx, 64 * 512 / 16
    sub     cx, di
    jnz     load
    ret

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
    .asciz  "stage 1: cannot read"
no_stage2_text:
    .asciz  "stage 1: what was loaded is not stage 2"

drive:
    .byte   0

    .balign 4
packet:
    .byte   16, 0               /* length of this packet */
packet_sectors:
    .word   0
    .word   0                   /* to offset 0 of this segment: */
packet_segment:
    .word   0
packet_lba:
    .quad   0

/* A field that is filled in later: a name, and as many bytes as its size says. */
    .macro  field name, bytes
    .globl  \name
\name:
    .skip   \bytes
    .size   \name, \bytes
    .endm

    field   stage2_lba, 4
    field   stage2_sectors, 2
    field   kernel_lba, 4
    field   kernel_sectors, 2
