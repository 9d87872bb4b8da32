/* Stage 2, its frame: load the kernel while the BIOS is still there, then leave 16 bits behind.
 *
 * The work is done in fat16.c, which gcc -m16 compiles for real mode.
 */
    .intel_syntax noprefix

    .equ    CODE, 0x08          /* the segments, as offsets in the table at the end */
    .equ    DATA, 0x10
    .equ    STACK_TOP, KERNEL + KERNEL_ROOM + 64 * 1024

    /* Code that calls what gcc -m16 makes: calls and returns have 32-bit addresses. */
    .code16gcc
    .section .text.start
    .globl start
start:
    mov     esp, STAGE1         /* the upper half of ESP may hold anything */
    movzx   eax, dl
    push    eax
    call    load_kernel         /* it returns only when all went well */

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
    mov     eax, KERNEL
    jmp     eax

/* Two flat segments: everything from 0 to 4 GiB, once as code and once as data. */
    .balign 8
gdt:
    .quad   0                   /* the processor wants the first to be empty */
    .quad   0x00CF9A000000FFFF
    .quad   0x00CF92000000FFFF
gdt_pointer:
    .word   gdt_pointer - gdt - 1
    .long   gdt
