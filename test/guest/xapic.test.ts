// The guest's driver of local APICs in xAPIC mode, which its images for QEMU have, on the machine's own APICs.

import { describe, expect, it } from "vitest";
import { architectures, runStop, violations } from "./stop-run.ts";

const machine = { architecture: architectures[0], cpus: 8 };

describe("stop_machine on x86-64 with local APICs in xAPIC mode", () => {
  it.each(["0", "1,3-4,7", "all"])("stops all, and runs the function on %s", async (active) => {
    const run = await runStop({ machine, policy: { active, rounds: 3 } }, { localApic: "xapic" });
    expect(violations(run)).toEqual([]);
  });

  it("does what it does in x2APIC mode, at other times", async () => {
    const [xapic, x2apic] = await Promise.all(
      (["xapic", "x2apic"] as const).map((localApic) => runStop({ machine, policy: { rounds: 2 } }, { localApic })),
    );
    expect([xapic?.roundsDone, xapic?.returned]).toEqual([x2apic?.roundsDone, x2apic?.returned]);
    expect(xapic?.machine.digest()).not.toBe(x2apic?.machine.digest());
  });

  it("takes the machine's digest whatever the accelerations", async () => {
    const digests = await Promise.all(
      [{}, { runAhead: false }, { spinElision: false }].map(async (accelerations) => {
        const run = await runStop({ machine, policy: { rounds: 2 } }, { localApic: "xapic", accelerations });
        return run.machine.digest();
      }),
    );
    expect(new Set(digests).size).toBe(1);
  });
});
