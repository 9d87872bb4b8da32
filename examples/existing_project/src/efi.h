/* The part of UEFI that tinyos uses (UEFI specification 2.10; the section stands at each type). */
#ifndef EFI_H
#define EFI_H

#include <stddef.h>
#include <stdint.h>

#define EFIAPI __attribute__((ms_abi))

typedef uint64_t efi_status; /* 0 is success */
typedef void *efi_handle;
typedef uint16_t efi_char;

struct efi_guid {
    uint32_t a;
    uint16_t b, c;
    uint8_t d[8];
};

struct efi_table_header { /* 4.2 */
    uint64_t signature;
    uint32_t revision, header_size, crc32, reserved;
};

struct efi_text_output { /* 12.4 */
    void *reset;
    efi_status(EFIAPI *output_string)(struct efi_text_output *self, const efi_char *text);
};

struct efi_memory_descriptor { /* 7.2, GetMemoryMap() */
    uint32_t type;
    uint64_t physical_start, virtual_start, pages, attribute;
};
enum { EFI_CONVENTIONAL_MEMORY = 7, EFI_PAGE_SIZE = 4096 };

struct efi_boot_services { /* 4.4 */
    struct efi_table_header header;
    void *before_memory_map[4];
    efi_status(EFIAPI *get_memory_map)(size_t *size, void *map, size_t *key,
                                       size_t *descriptor_size, uint32_t *descriptor_version);
    void *before_protocol[11];
    efi_status(EFIAPI *handle_protocol)(efi_handle handle, const struct efi_guid *protocol,
                                        void **interface);
};

struct efi_system_table { /* 4.3 */
    struct efi_table_header header;
    efi_char *firmware_vendor;
    uint32_t firmware_revision;
    efi_handle console_in_handle;
    void *console_in;
    efi_handle console_out_handle;
    struct efi_text_output *console_out;
    efi_handle console_error_handle;
    struct efi_text_output *console_error;
    void *runtime;
    struct efi_boot_services *boot;
};

struct efi_loaded_image { /* 9.1 */
    uint32_t revision;
    efi_handle parent;
    struct efi_system_table *system;
    efi_handle device; /* the volume that we were loaded from */
};

struct efi_file { /* 13.5 */
    uint64_t revision;
    efi_status(EFIAPI *open)(struct efi_file *self, struct efi_file **opened,
                             const efi_char *name, uint64_t mode, uint64_t attributes);
    efi_status(EFIAPI *close)(struct efi_file *self);
    void *delete;
    efi_status(EFIAPI *read)(struct efi_file *self, size_t *size, void *buffer);
};
enum { EFI_FILE_MODE_READ = 1 };

struct efi_file_system { /* 13.4 */
    uint64_t revision;
    efi_status(EFIAPI *open_volume)(struct efi_file_system *self, struct efi_file **root);
};

#endif
