#ifndef MEMORY_H
#define MEMORY_H

#include "efi.h"

/* Return the bytes of free memory, or 0 if the firmware does not tell. */
uint64_t memory_free(struct efi_system_table *system);

#endif
