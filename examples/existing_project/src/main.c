/* tinyos: says how much memory is free, and the message of the day. */
#include "console.h"
#include "files.h"
#include "memory.h"

efi_status EFIAPI kernel_main(efi_handle image, struct efi_system_table *system)
{
    console_init(system);
    print("tinyos: ");
    print_number(memory_free(system) / (1024 * 1024));
    print(" MiB of memory are free\n");

    const char *motd = file_text(image, system, L"\\etc\\motd");
    print(motd ? motd : "tinyos: there is no /etc/motd\n");

    for (;;) {
        __asm__ volatile("hlt");
    }
}
