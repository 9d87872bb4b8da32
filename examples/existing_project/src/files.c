/* Files of the volume that we came from, read by the firmware. */
#include "files.h"

static const struct efi_guid LOADED_IMAGE = {
    0x5B1B31A1, 0x9562, 0x11D2, {0x8E, 0x3F, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B}};
static const struct efi_guid FILE_SYSTEM = {
    0x964E5B22, 0x6459, 0x11D2, {0x8E, 0x39, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B}};

static char text[4096];

const char *file_text(efi_handle image, struct efi_system_table *system, const efi_char *path)
{
    struct efi_loaded_image *self;
    struct efi_file_system *volume;
    struct efi_file *root, *file;
    size_t size = sizeof text - 1;

    if (system->boot->handle_protocol(image, &LOADED_IMAGE, (void **)&self) != 0 ||
        system->boot->handle_protocol(self->device, &FILE_SYSTEM, (void **)&volume) != 0 ||
        volume->open_volume(volume, &root) != 0 ||
        root->open(root, &file, path, EFI_FILE_MODE_READ, 0) != 0) {
        return NULL;
    }
    if (file->read(file, &size, text) != 0) {
        size = 0;
    }
    file->close(file);
    root->close(root);
    text[size] = '\0';
    return text;
}
