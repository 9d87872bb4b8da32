/* An EFI application for tests: says a text and then does what the text's first letter stands for.
 *
 * tests/support/efi_guests.py puts the text into the finished program, so that there is a new one
 * without a compiler.
 */
#include "../../examples/uefi/efi.h"

/* Not const, or the compiler would know what is in it. */
volatile efi_char text[64] = L"@ here goes the text that the test wants to see";

efi_status EFIAPI entry(efi_handle self, struct efi_system_table *system)
{
    (void)self;
    system->console_out->output_string(system->console_out, (const efi_char *)text);
    switch (text[0]) {
    case 'P':
        system->runtime->reset_system(EFI_RESET_SHUTDOWN, 0, 0, NULL);
        break;
    case 'R':
        system->runtime->reset_system(EFI_RESET_COLD, 0, 0, NULL);
        break;
#ifdef __x86_64__
    case 'X':
        __asm__ volatile("outb %0, %1" : : "a"((uint8_t)0x10), "Nd"((uint16_t)0xf4));
        break;
#endif
    }
    for (;;)
        ;
}
