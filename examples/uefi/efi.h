/* The little of UEFI that hello.c needs, after the UEFI specification 2.10; the section stands at each type.
 *
 * The firmware hands us tables of function pointers.  Only the members that we use have a type;
 * the others are there to keep the places right.
 */
#ifndef EFI_H
#define EFI_H

#include <stddef.h>
#include <stdint.h>

/* UEFI calls functions as Windows does, GCC for ELF as the System V ABI says. */
#define EFIAPI __attribute__((ms_abi))

typedef uint64_t efi_status; /* 0 is success */
typedef void *efi_handle;
typedef uint16_t efi_char; /* UCS-2; with -fshort-wchar that is what L"..." holds */

/* Every table begins with this (section 4.2). */
struct efi_table_header {
    uint64_t signature;
    uint32_t revision;
    uint32_t header_size;
    uint32_t crc32;
    uint32_t reserved;
};

/* EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL (12.4) */
struct efi_text_output {
    void *reset;
    efi_status(EFIAPI *output_string)(struct efi_text_output *self, const efi_char *text);
};

enum efi_reset { EFI_RESET_COLD, EFI_RESET_WARM, EFI_RESET_SHUTDOWN };

/* EFI_RUNTIME_SERVICES (4.5): time, memory and variables come before the reset (8.5). */
struct efi_runtime_services {
    struct efi_table_header header;
    void *others[10];
    void(EFIAPI *reset_system)(enum efi_reset type, efi_status status, size_t size, void *data);
};

/* EFI_SYSTEM_TABLE (4.3) */
struct efi_system_table {
    struct efi_table_header header;
    efi_char *firmware_vendor;
    uint32_t firmware_revision;
    efi_handle console_in_handle;
    void *console_in;
    efi_handle console_out_handle;
    struct efi_text_output *console_out;
    efi_handle console_error_handle;
    struct efi_text_output *console_error;
    struct efi_runtime_services *runtime;
};

/* Places by the specification's order of members: if one is lost, this does not compile. */
_Static_assert(offsetof(struct efi_system_table, console_out) == 64, "efi_system_table");
_Static_assert(offsetof(struct efi_runtime_services, reset_system) == 104, "efi_runtime_services");

#endif
