// The update itself (arch/x86/kernel/cpu/microcode/intel.c, amd.c; Intel SDM 3A 10.11.6 and 10.11.7).

import { constant, nothing, routine, u32, u64, x64, type Builder, type Value } from "../../asm/index.ts";
import { MICROCODE_REVISION } from "../../abi.ts";
import { observed } from "../observe.ts";
import { UcodeState, eachThread } from "./data.ts";

const MSR_IA32_UCODE_WRITE = 0x79;
const MSR_IA32_UCODE_REV = 0x8b;

/** Where the image would be: what it contains, no CPU looks at here. */
const IMAGE_ADDRESS = 0x10_0030n;

/** intel_get_microcode_revision: CPUID leaf 1 puts it into the register, which is cleared before. */
function revisionOf(k: Builder): Value<"u32"> {
  return k.arch(
    {
      x64: (a) => {
        a.mov(x64.ecx, MSR_IA32_UCODE_REV).xor(x64.eax, x64.eax).xor(x64.edx, x64.edx).wrmsr();
        a.push(x64.rbx).mov(x64.eax, 1).xor(x64.ecx, x64.ecx).cpuid().pop(x64.rbx);
        a.mov(x64.ecx, MSR_IA32_UCODE_REV).rdmsr().mov(x64.eax, x64.edx);
      },
    },
    { uses: {}, result: u32, resultIn: { x64: "rax" }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
}

/** native_wrmsrq(MSR_IA32_UCODE_WRITE, …): takes as long as the CPU needs. */
const writeUpdate = routine("microcode_write_update", { image: u64 }, nothing, (k, { image }) => {
  k.mark(observed("update_start"));
  k.arch(
    {
      x64: (a, { image: address }) => {
        a.mov(x64.rax, address).mov(x64.rdx, address).shr(x64.rdx, 32).mov(x64.ecx, MSR_IA32_UCODE_WRITE).wrmsr();
      },
    },
    { uses: { image }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
  k.mark(observed("update_end"));
});

/**
 * apply_microcode(): Intel's has nothing to do on a thread whose core has been updated; AMD's updates each thread, since some
 * patches change what belongs to threads.
 */
export const applyMicrocode = routine("apply_microcode", [], u32, (k) => {
  const old = k.let("old_rev", revisionOf(k));
  k.if(eachThread.eq(0).and(old.ge(MICROCODE_REVISION)), () => k.return(UcodeState.Ok));
  k.call(writeUpdate, constant(u64, IMAGE_ADDRESS));
  const revision = k.let("rev", revisionOf(k));
  k.if(revision.ne(MICROCODE_REVISION), () => k.return(UcodeState.Error));
  k.return(UcodeState.Updated);
});
