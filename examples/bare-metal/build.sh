#!/bin/sh
# Builds the images: build.sh FOLDER. The ELF files beside this script were built so with Debian's aarch64-linux-gnu-gcc
# 12.2.0 and binutils 2.40; nothing of the machine or the time gets into them.
set -eu
cd "$(dirname "$0")"
out=${1:-.}
prefix=${CROSS_COMPILE:-aarch64-linux-gnu-}
for source in hello cpus sgi spi priorities timers events exceptions el0 psci rendezvous arithmetic; do
  "${prefix}gcc" -O2 -std=gnu17 -Wall -Wextra -Werror -march=armv8-a -mgeneral-regs-only -mstrict-align \
    -mno-outline-atomics -mbranch-protection=none -ffreestanding -fno-pic -fno-stack-protector \
    -fno-asynchronous-unwind-tables -static -nostdlib -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
    -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -T image.ld -o "$out/$source.elf" start.S board.c "$source.c" -lgcc
  "${prefix}strip" --strip-debug -R .comment "$out/$source.elf"
done
