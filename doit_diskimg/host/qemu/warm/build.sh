#!/bin/sh
# Builds the helpers from helper.c, for x86-64 and AArch64, into this folder or the one named.
#
# Needs clang and lld (Debian packages of these names); CLANG and LLD name other versions of them.
# The same bytes come from versions 14, 16 and 19, as tests/qemu/test_warm_helper.py checks.
set -eu
unset LINK _LINK_ 2>/dev/null || :  # lld-link takes arguments from these
here=$(cd "$(dirname "$0")" && pwd)
to=${1:-$here}
object=$to/helper.o
trap 'rm -f "$object"' EXIT

for machine in x86_64 aarch64; do
    # Small code that nobody schedules: versions differ in what they think is fast.
    "${CLANG:-clang}" -target "$machine-unknown-windows" -std=c11 -Wall -Wextra -Werror \
        -Oz -mllvm -enable-misched=false -mllvm -disable-post-ra \
        -ffreestanding -fshort-wchar -mno-red-zone -fno-ident -Wno-unused-command-line-argument \
        -c "$here/helper.c" -o "$object"
    # No time stamp, and no room to fill behind the code: versions fill with different bytes.
    "${LLD:-lld-link}" -subsystem:efi_application -entry:entry -nodefaultlib \
        -timestamp:0 -filealign:4 -out:"$to/$machine.efi" "$object"
    truncate -s 8192 "$to/$machine.efi"  # QEMU's -kernel on x86 takes nothing below 2,560 bytes
done
