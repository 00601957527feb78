// The .text and .data sections of an ELF64 object file, found by name: enough to read what GNU as wrote.

export function parseSections(file: Buffer): { text: Uint8Array; data: Uint8Array } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));
  const start = u64(40);
  const count = view.getUint16(60, true);
  const header = (number: number): number => start + number * 64;
  const names = u64(header(view.getUint16(62, true)) + 24);
  const content = (wanted: string): Uint8Array => {
    for (let i = 0; i < count; i++) {
      const nameAt = names + view.getUint32(header(i), true);
      if (file.toString("latin1", nameAt, file.indexOf(0, nameAt)) !== wanted) continue;
      return new Uint8Array(file.subarray(u64(header(i) + 24), u64(header(i) + 24) + u64(header(i) + 32)));
    }
    throw new Error(`no section ${wanted}`);
  };
  return { text: content(".text"), data: content(".data") };
}
