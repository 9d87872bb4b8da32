#ifndef CONSOLE_H
#define CONSOLE_H

#include "efi.h"

void console_init(struct efi_system_table *system);
void print(const char *text);
void print_number(uint64_t number);

#endif
