// What the distributor and the redistributors say they are (Arm IHI 0069H 12.1): the values of QEMU's virt board.

/** Product 0, implementer Arm. */
export const IIDR: u32 = 0x43b;
/** PIDR4 to PIDR7, PIDR0 to PIDR3, CIDR0 to CIDR3. */
export const FIRST_ID: u32 = 0xffd0;
export const PIDR0_DISTRIBUTOR: u32 = 0x92;
export const PIDR0_REDISTRIBUTOR: u32 = 0x93;

/** The identification register at an offset in the last page of a frame. */
export function identification(offset: u32, pidr0: u32): u32 {
  switch ((offset - FIRST_ID) >>> 2) {
    case 0: // PIDR4: 64 KiB, Arm's continuation code
      return 0x44;
    case 4:
      return pidr0;
    case 5: // PIDR1: Arm (JEP106 0x3b), part number 0x4..
      return 0xb4;
    case 6: // PIDR2: ArchRev 3
      return 0x3b;
    case 8: // CIDR0 to CIDR3
      return 0x0d;
    case 9:
      return 0xf0;
    case 10:
      return 0x05;
    case 11:
      return 0xb1;
    default:
      return 0;
  }
}
