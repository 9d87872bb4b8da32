/* Stage 2, its work: find KERNEL.BIN on the active partition, a FAT16 volume, and load it.
 *
 * This is 16-bit code (gcc -m16) in segment 0: pointers reach the first 64 KiB and no further.  The
 * kernel goes above that; only the BIOS writes there, by segment and offset.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR_SIZE 512
#define PACKED __attribute__((packed))

struct PACKED partition { /* an entry of the MBR's partition table */
    uint8_t status;       /* 0x80: active */
    uint8_t first_chs[3];
    uint8_t type;
    uint8_t last_chs[3];
    uint32_t first_lba;
    uint32_t sectors;
};

struct PACKED boot_sector { /* of a FAT volume: its first sector says how it is laid out */
    uint8_t jump[3];
    char oem_name[8];
    uint16_t bytes_per_sector;
    uint8_t sectors_per_cluster;
    uint16_t reserved_sectors; /* this sector is the first of them */
    uint8_t fats;
    uint16_t root_entries;
    uint16_t sectors_16; /* of the volume; 0 if they are too many for 16 bits */
    uint8_t media;
    uint16_t sectors_per_fat;
    uint16_t sectors_per_track;
    uint16_t heads;
    uint32_t hidden_sectors;
    uint32_t sectors_32;
};

struct PACKED dir_entry {
    char name[11]; /* "KERNEL  BIN" is KERNEL.BIN */
    uint8_t attributes;
    uint8_t others[14];
    uint16_t first_cluster;
    uint32_t size;
};

enum { ATTR_VOLUME_ID = 0x08, ATTR_DIRECTORY = 0x10 }; /* a long name has ATTR_VOLUME_ID too */

_Static_assert(sizeof(struct partition) == 16, "partition");
_Static_assert(sizeof(struct boot_sector) == 36, "boot_sector");
_Static_assert(sizeof(struct dir_entry) == 32, "dir_entry");

/* The first sector of the disk is still where the BIOS put it. */
static const struct partition *const partitions = (void *)(STAGE1 + 446);

static uint8_t drive;
static uint8_t buffer[SECTOR_SIZE];

static void print(const char *text)
{
    for (; *text; text++) {
        uint16_t ax = 0x0E00 | (uint8_t)*text;
        __asm__ volatile("int $0x10" : "+a"(ax) : "b"(7) : "cc", "memory");
    }
}

static _Noreturn void stop(const char *why)
{
    print("stage 2: ");
    print(why);
    for (;;) {
        __asm__ volatile("hlt");
    }
}

/* Read sectors of the disk to any address below 1 MiB. */
static void read(uint32_t lba, uint16_t count, uint32_t address)
{
    struct PACKED {
        uint16_t length, count, offset, segment;
        uint64_t lba;
    } packet = {sizeof packet, count, address % 16, address / 16, lba};
    uint16_t ax = 0x4200;
    bool failed;

    __asm__ volatile("int $0x13; setc %0"
                     : "=q"(failed), "+a"(ax)
                     : "d"(drive), "S"(&packet)
                     : "cc", "memory");
    if (failed) {
        stop("cannot read the disk");
    }
}

static void read_to_buffer(uint32_t lba)
{
    read(lba, 1, (uint32_t)buffer);
}

static bool same_name(const char *a, const char *b)
{
    for (int i = 0; i < 11; i++) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

/* Return the first cluster of a file in the root directory, which has `count` entries. */
static uint16_t find(const char *name, uint32_t root_lba, uint16_t count)
{
    const struct dir_entry *entries = (void *)buffer;
    const int per_sector = SECTOR_SIZE / sizeof *entries;

    for (int i = 0; i < count; i++) {
        if (i % per_sector == 0) {
            read_to_buffer(root_lba + i / per_sector);
        }
        const struct dir_entry *entry = &entries[i % per_sector];
        if (entry->name[0] == 0) {
            break; /* neither this entry nor any after it was ever used */
        }
        if (!(entry->attributes & (ATTR_VOLUME_ID | ATTR_DIRECTORY)) &&
            same_name(entry->name, name)) {
            return entry->first_cluster;
        }
    }
    stop("there is no KERNEL.BIN in the root directory");
}

/* Return the cluster that follows `cluster` in its file, as the FAT says. */
static uint16_t next(uint16_t cluster, uint32_t fat_lba)
{
    static uint32_t in_buffer; /* the whole chain is often in one sector: read it once */
    static uint16_t entries[SECTOR_SIZE / sizeof(uint16_t)];
    const int per_sector = SECTOR_SIZE / sizeof *entries;
    const uint32_t lba = fat_lba + cluster / per_sector;

    if (lba != in_buffer) {
        read(lba, 1, (uint32_t)entries);
        in_buffer = lba;
    }
    return entries[cluster % per_sector];
}

static uint32_t active_partition(void)
{
    for (int i = 0; i < 4; i++) {
        if (partitions[i].status == 0x80) {
            return partitions[i].first_lba;
        }
    }
    stop("no partition is active");
}

/* Called by stage2.S. */
void load_kernel(uint8_t boot_drive);

void load_kernel(uint8_t boot_drive)
{
    drive = boot_drive;

    /* A FAT16 volume: reserved sectors, FATs, root directory, clusters. */
    const uint32_t volume_lba = active_partition();
    read_to_buffer(volume_lba);
    const struct boot_sector volume = *(const struct boot_sector *)buffer;
    if (volume.bytes_per_sector != SECTOR_SIZE || volume.sectors_per_cluster == 0) {
        stop("the active partition holds no FAT volume");
    }

    const uint32_t root_sectors = volume.root_entries * sizeof(struct dir_entry) / SECTOR_SIZE;
    const uint32_t fat_lba = volume_lba + volume.reserved_sectors;
    const uint32_t root_lba = fat_lba + volume.fats * volume.sectors_per_fat;
    const uint32_t data_lba = root_lba + root_sectors;

    /* Whether it is FAT12, 16 or 32 is decided by the number of clusters and nothing else. */
    const uint32_t sectors = volume.sectors_16 ? volume.sectors_16 : volume.sectors_32;
    const uint32_t clusters = (sectors - (data_lba - volume_lba)) / volume.sectors_per_cluster;
    if (clusters < 4085 || clusters >= 65525) {
        stop("the active partition is not FAT16");
    }

    uint32_t address = KERNEL;
    uint16_t cluster = find("KERNEL  BIN", root_lba, volume.root_entries);
    while (cluster >= 2 && cluster < clusters + 2) { /* the mark of the last one is above */
        if (address + volume.sectors_per_cluster * SECTOR_SIZE > KERNEL + KERNEL_ROOM) {
            stop("KERNEL.BIN is too long");
        }
        /* The number of the first cluster is 2: 0 and 1 mean other things in a FAT. */
        read(data_lba + (cluster - 2) * volume.sectors_per_cluster, volume.sectors_per_cluster,
             address);
        address += volume.sectors_per_cluster * SECTOR_SIZE;
        cluster = next(cluster, fat_lba);
    }
    if (address == KERNEL) {
        stop("KERNEL.BIN is empty");
    }
}
