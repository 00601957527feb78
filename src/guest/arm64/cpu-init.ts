// What an arm64 CPU sets up before it is online, by what interrupts NMIs come with, and undoes when it goes.

import { nothing, routine, u32, u64, type Builder } from "../../asm/index.ts";
import { gicDisableIpis, initGic, type NmiScheme } from "../irqchip/gicv3.ts";
import { sdeiCpuDown } from "../sdei/client.ts";
import { initSdeiNmi, type sdeiNmiHandler } from "../sdei/nmi.ts";

const SCTLR_NMI = 1n << 61n;

/** From here on IRQs are masked by PMR, or NMIs by ALLINT; the rest of DAIF is open. */
function openNmis(k: Builder, { kind }: NmiScheme): void {
  if (kind === "pseudo-nmi") k.arch({ arm64: (a) => void a.isb().daifClr(15) });
  if (kind !== "feat-nmi") return;
  const nmi = k.let("nmi", SCTLR_NMI, u64);
  k.arch(
    {
      arm64: (a, { nmi: bit, result }) => {
        a.mrs(result, "sctlr_el1").orr(result, result, bit).msr("sctlr_el1", result).isb();
        a.msrImmediate("allint", 0);
      },
    },
    { uses: { nmi }, result: u64 },
  );
}

/** @param callback the handler of SDEI's event 0, if the kernel has that service */
export function arm64CpuInit(name: string, scheme: NmiScheme, callback?: typeof sdeiNmiHandler) {
  return routine(name, { cpu: u32 }, nothing, (k, { cpu }) => {
    initGic(k, cpu, scheme);
    openNmis(k, scheme);
    if (callback !== undefined) initSdeiNmi(k, callback);
  });
}

/** The end of __cpu_disable(): no SGI and no event reaches this CPU from now on. */
export const arm64CpuDisable = routine("arm64_cpu_disable", [], nothing, (k) => {
  k.call(sdeiCpuDown);
  k.call(gicDisableIpis);
});
