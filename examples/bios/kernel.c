/* The kernel: 32-bit C on the bare machine.  It says hello on the screen and on COM1. */
#include <stdint.h>

static void out(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* The first serial port, a 16550 UART. */
enum { COM1 = 0x3F8, DATA = COM1, DIVISOR = COM1, LINE_CONTROL = COM1 + 3, LINE_STATUS = COM1 + 5 };

static void serial_init(void)
{
    out(LINE_CONTROL, 0x80); /* the first two registers are the divisor now: */
    out(DIVISOR, 1);         /* 115200 baud */
    out(DIVISOR + 1, 0);
    out(LINE_CONTROL, 0x03); /* and data again, as 8 bits, no parity, 1 stop bit */
}

static void serial_wait(uint8_t status)
{
    while (!(in(LINE_STATUS) & status)) {
    }
}

static void serial_put(char c)
{
    serial_wait(0x20); /* until it takes another character */
    out(DATA, c);
}

/* The screen in text mode: 80 columns, 25 rows, a character and its colours each. */
static volatile uint16_t *const SCREEN = (uint16_t *)0xB8000;
enum { COLUMNS = 80, ROWS = 25, GREY_ON_BLACK = 0x0700 };
static int cursor;

static void screen_clear(void)
{
    for (int i = 0; i < COLUMNS * ROWS; i++) {
        SCREEN[i] = GREY_ON_BLACK | ' ';
    }
    cursor = 0;
}

static void screen_put(char c)
{
    if (c == '\n') {
        cursor += COLUMNS - cursor % COLUMNS;
    } else {
        SCREEN[cursor++] = GREY_ON_BLACK | c;
    }
    if (cursor >= COLUMNS * ROWS) {
        screen_clear(); /* simpler than scrolling */
    }
}

static void print(const char *text)
{
    for (; *text; text++) {
        if (*text == '\n') {
            serial_put('\r');
        }
        serial_put(*text);
        screen_put(*text);
    }
}

/* Stage 2 jumps to the first byte of KERNEL.BIN; flat.ld puts this section there. */
__attribute__((section(".text.start"))) _Noreturn void start(void)
{
    serial_init();
    screen_clear();
    print("Hello from doit_diskimg: two stages and a file of a FAT volume, and here is C.\n");

    serial_wait(0x40); /* until the last character has left */
    out(0xF4, 0x10);   /* QEMU with the device isa-debug-exit ends here, with status 33 */
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}
