// Numbers of the ELF64 format that writer and reader share (System V ABI, chapters 4 and 5; processor supplements).

export const EHDR_BYTES = 64;
export const PHDR_BYTES = 56;
export const SHDR_BYTES = 64;
export const SYM_BYTES = 24;

export const MAGIC = [0x7f, 0x45, 0x4c, 0x46] as const;
export const CLASS_64 = 2;
export const DATA_LITTLE = 1;
export const VERSION_CURRENT = 1;

export const ET_EXEC = 2;
export const ET_DYN = 3;
export const MACHINES = { "x86-64": 62, arm64: 183 } as const;

export const PT_LOAD = 1;
export const PT_DYNAMIC = 2;
export const PT_INTERP = 3;
export const PT_NOTE = 4;
export const PF_X = 1;
export const PF_W = 2;
export const PF_R = 4;

export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_NOTE = 7;
export const SHT_NOBITS = 8;
export const SHF_WRITE = 1;
export const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;

export const STB_LOCAL = 0;
export const STB_GLOBAL = 1;
export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;
export const SHN_UNDEF = 0;
export const SHN_LORESERVE = 0xff00;

/** Owner and type of a mark's note: u64 address, "routine:mark", then "local=place" words. */
export const MARK_NOTE_OWNER = "allstop";
export const MARK_NOTE_TYPE = 1;
/** Entry of the PVH boot protocol in 32-bit protected mode (Xen, XEN_ELFNOTE_PHYS32_ENTRY). */
export const PVH_NOTE_OWNER = "Xen";
export const PVH_NOTE_TYPE = 18;
