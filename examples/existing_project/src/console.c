/* Text on the firmware's console. */
#include "console.h"

static struct efi_text_output *console;

void console_init(struct efi_system_table *system)
{
    console = system->console_out;
}

static void put(char c)
{
    efi_char text[] = {(unsigned char)c, 0};
    console->output_string(console, text);
}

void print(const char *text)
{
    for (; *text; text++) {
        if (*text == '\n') {
            put('\r');
        }
        put(*text);
    }
}

void print_number(uint64_t number)
{
    if (number >= 10) {
        print_number(number / 10);
    }
    put('0' + number % 10);
}
