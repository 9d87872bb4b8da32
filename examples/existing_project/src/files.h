#ifndef FILES_H
#define FILES_H

#include "efi.h"

/* Read a file of the volume that the kernel was loaded from, as text; NULL if there is none. */
const char *file_text(efi_handle image, struct efi_system_table *system, const efi_char *path);

#endif
