/* The pause behind the firmware: an EFI application that QEMU is given as -kernel.
 *
 * OVMF and AAVMF start that before they look at a single disk, and boot as usual when it returns.
 * While the first letter of -append is 'w' this application waits, and the machine's state can be
 * written down; at any other letter it returns.  The letter comes out of the QEMU that runs now and
 * is no part of the state: a restored machine sees that of its own -append and goes on.
 *
 * Names, numbers and places are those of the UEFI Specification 2.10 (4.3 system table, 4.4 boot
 * services, 9.1 loaded image, 12.4 text output) and of QEMU's docs/specs/fw_cfg.
 *
 * `build.sh`, beside this file, makes the binaries from it.
 */

typedef unsigned char byte;
typedef unsigned short word;
typedef unsigned long long native; /* UINTN: both architectures have 64 bits */
typedef native status;             /* EFI_STATUS; 0 is EFI_SUCCESS */
typedef void *handle;

#if defined(__x86_64__)
#define EFI __attribute__((ms_abi))
#elif defined(__aarch64__)
#define EFI
#else
#error "there is no helper for this architecture"
#endif

struct guid {
    unsigned first;
    word second, third;
    byte rest[8];
};

static const struct guid LOADED_IMAGE = {
    0x5B1B31A1, 0x9562, 0x11D2, {0x8E, 0x3F, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B}
};
static const struct guid SIMPLE_FILE_SYSTEM = {
    0x964E5B22, 0x6459, 0x11D2, {0x8E, 0x39, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B}
};

struct text_output {
    void *reset;
    status EFI (*output_string)(struct text_output *, const word *text);
};

struct loaded_image {
    unsigned revision;
    handle parent;
    void *system;
    handle device; /* the volume that the firmware shows -kernel as */
};

struct boot_services {
    byte header[24];
    void *up_to_reinstall[15]; /* RaiseTPL ... ReinstallProtocolInterface */
    status EFI (*uninstall_protocol)(handle, const struct guid *, void *interface);
    status EFI (*handle_protocol)(handle, const struct guid *, void **interface);
    void *up_to_next_count[11]; /* Reserved ... GetNextMonotonicCount */
    status EFI (*stall)(native microseconds);
    status EFI (*set_watchdog)(native seconds, native code, native size, const word *data);
};

struct system_table {
    byte header[24];
    const word *vendor;
    unsigned revision;
    handle input_handle;
    void *input;
    handle output_handle;
    struct text_output *output;
    handle error_handle;
    struct text_output *error;
    void *runtime;
    struct boot_services *boot;
};

_Static_assert(__builtin_offsetof(struct system_table, output) == 64, "4.3");
_Static_assert(__builtin_offsetof(struct system_table, boot) == 96, "4.3");
_Static_assert(__builtin_offsetof(struct boot_services, uninstall_protocol) == 144, "4.4");
_Static_assert(__builtin_offsetof(struct boot_services, handle_protocol) == 152, "4.4");
_Static_assert(__builtin_offsetof(struct boot_services, stall) == 248, "4.4");
_Static_assert(__builtin_offsetof(struct boot_services, set_watchdog) == 256, "4.4");
_Static_assert(__builtin_offsetof(struct loaded_image, device) == 24, "9.1");

#define COMMAND_LINE 0x15 /* fw_cfg's item FW_CFG_CMDLINE_DATA, the text of -append */
#define WAIT 'w'
#define POLL 1000 /* microseconds */

/* Return the first letter of -append, zero if there is none. */
static byte order(void)
{
    byte letter; /* the first one: to select an item is to go to its beginning */
#if defined(__x86_64__)
    __asm__ volatile("outw %%ax, %%dx" : : "a"((word)COMMAND_LINE), "d"((word)0x510));
    __asm__ volatile("inb %%dx, %%al" : "=a"(letter) : "d"((word)0x511));
#else
    byte *fw_cfg = (byte *)0x09020000; /* where the machine "virt" has it */
    __asm__ volatile("strh %w0, [%1, #8]" /* the selector is big-endian */
                     : : "r"(COMMAND_LINE << 8), "r"(fw_cfg) : "memory");
    __asm__ volatile("ldrb %w0, [%1]" : "=r"(letter) : "r"(fw_cfg) : "memory");
#endif
    return letter;
}

/* Wait as long as that is the order.  What is printed is overwritten at once, so that a restored
 * machine's screen has nothing of it; the program that takes the state waits for the last letter.
 */
static void pause_here(struct system_table *system)
{
    static const word ready[] = L"firmware is ready\r                 \r";

    system->boot->set_watchdog(0, 0, 0, 0); /* the state may be years old when it goes on */
    system->output->output_string(system->output, ready);
    while (order() == WAIT)
        system->boot->stall(POLL);
}

/* Take away the volume with -kernel on it, which would be one more thing to boot from. */
static void leave_no_volume(handle self, struct boot_services *boot)
{
    void *found, *volume;

    if (boot->handle_protocol(self, &LOADED_IMAGE, &found) != 0)
        return;
    handle device = ((struct loaded_image *)found)->device;
    if (boot->handle_protocol(device, &SIMPLE_FILE_SYSTEM, &volume) == 0)
        boot->uninstall_protocol(device, &SIMPLE_FILE_SYSTEM, volume);
}

status EFI entry(handle self, struct system_table *system)
{
    if (order() == WAIT)
        pause_here(system);
    leave_no_volume(self, system->boot);
    return 0;
}
