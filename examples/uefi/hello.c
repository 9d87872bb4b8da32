/* A UEFI application: says hello on the firmware's console and switches the machine off. */
#include "efi.h"

static const efi_char HELLO[] = L"Hello from doit_diskimg: an EFI application on a GPT disk.\r\n";

efi_status EFIAPI efi_main(efi_handle image, struct efi_system_table *system)
{
    (void)image;
    system->console_out->output_string(system->console_out, HELLO);
    system->runtime->reset_system(EFI_RESET_SHUTDOWN, 0, 0, NULL);
    return 0;
}
