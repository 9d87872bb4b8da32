/* What memory there is. */
#include "memory.h"

/* The firmware's map of memory; 50 to 150 entries of 48 bytes are usual. */
static char map[32 * 1024] __attribute__((aligned(8)));

uint64_t memory_free(struct efi_system_table *system)
{
    size_t size = sizeof map, key, step;
    uint32_t version;
    uint64_t pages = 0;

    if (system->boot->get_memory_map(&size, map, &key, &step, &version) != 0) {
        return 0;
    }
    /* The step may be longer than the structure: later versions append to it. */
    for (size_t at = 0; at < size; at += step) {
        const struct efi_memory_descriptor *entry = (const void *)(map + at);
        if (entry->type == EFI_CONVENTIONAL_MEMORY) {
            pages += entry->pages;
        }
    }
    return pages * EFI_PAGE_SIZE;
}
