/* Stage 2: leaves 16 bits behind, looks whether the kernel arrived whole, and starts it. */
    .intel_syntax noprefix

    .equ    CODE, 0x08          /* the segments, as offsets in the table at the end */
    .equ    DATA, 0x10
    .equ    STACK_TOP, KERNEL + KERNEL_ROOM + 64 * 1024
    .equ    COM1, 0x3F8
    .equ    SCREEN, 0xB8000

    .code16
    .section .text.start
    .globl start
start:
    jmp     real_mode
    .balign 4
    .long   MAGIC               /* stage 1 looks here: is it us that it has loaded? */

real_mode:
    cli                         /* the BIOS's interrupt handlers are of no use from here on */
    lgdt    gdt_pointer
    mov     eax, cr0
    or      eax, 1              /* PE: protected mode */
    mov     cr0, eax
    ljmp    CODE, offset protected

    .code32
protected:
    mov     ax, DATA
    mov     ds, ax
    mov     es, ax
    mov     fs, ax
    mov     gs, ax
    mov     ss, ax
    mov     esp, STACK_TOP
    cld

/* The CRC-32 of zlib, bit by bit. */
    mov     esi, KERNEL
    mov     ecx, [kernel_length]
    mov     eax, -1
next_byte:
    xor     al, [esi]
    inc     esi
    mov     edx, 8
next_bit:
    shr     eax, 1
    jnc     1f
    xor     eax, 0xEDB88320
1:  dec     edx
    jnz     next_bit
    loop    next_byte
    not     eax
    cmp     eax, [kernel_crc32]
    jne     damaged

    mov     eax, KERNEL
    jmp     eax

/* Say so on the first serial port and on the screen, and stop. */
damaged:
    mov     esi, offset damaged_text
    mov     edi, SCREEN
    mov     edx, COM1
1:  lodsb
    test    al, al
    jz      2f
    out     dx, al
    mov     ah, 7               /* grey on black */
    stosw
    jmp     1b
2:  hlt
    jmp     2b

damaged_text:
    .asciz  "stage 2: what was loaded is not the kernel"

/* Two flat segments: everything from 0 to 4 GiB, once as code and once as data. */
    .balign 8
gdt:
    .quad   0                   /* the processor wants the first to be empty */
    .quad   0x00CF9A000000FFFF
    .quad   0x00CF92000000FFFF
gdt_pointer:
    .word   gdt_pointer - gdt - 1
    .long   gdt

/* Filled in when the disk is built; see stage 1. */
    .balign 4
    .globl  kernel_length, kernel_crc32
kernel_length:
    .long   0
    .size   kernel_length, 4
kernel_crc32:
    .long   0
    .size   kernel_crc32, 4
