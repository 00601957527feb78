// PSCI: what the calls return.

#include "board.h"

static volatile unsigned seen;

void secondary_main(unsigned cpu)
{
	seen = cpu;
	arrived();
}

int main(void)
{
	unsigned cpus;

	print("VERSION at least 1.0: %s\n", psci(PSCI_VERSION, 0, 0, 0) >= 0x10000 ? "yes" : "no");
	print("CPU_ON of itself %ld\n", psci(PSCI_CPU_ON, mpidr_of(0), (uint64_t)secondary_start, 0));
	print("CPU_ON of nobody %ld\n", psci(PSCI_CPU_ON, 0xff00ffffff, (uint64_t)secondary_start, 0));
	print("AFFINITY_INFO of itself %ld\n", psci(PSCI_AFFINITY_INFO, mpidr_of(0), 0, 0));
	print("AFFINITY_INFO of CPU 1 before %ld\n", psci(PSCI_AFFINITY_INFO, mpidr_of(1), 0, 0));
	print("AFFINITY_INFO of nobody %ld\n", psci(PSCI_AFFINITY_INFO, 0xff00ffffff, 0, 0));
	print("unknown functions %ld %ld\n", psci(0x84000fff, 0, 0, 0), psci(0xc6000000, 0, 0, 0));
	cpus = start_all();
	print("%u CPUs\n", cpus);
	if (cpus > 1) {
		print("AFFINITY_INFO of CPU 1 after %ld\n", psci(PSCI_AFFINITY_INFO, mpidr_of(1), 0, 0));
		print("CPU_ON of CPU 1 again %ld\n", psci(PSCI_CPU_ON, mpidr_of(1), (uint64_t)secondary_start, 1));
	}
	return 0;
}
