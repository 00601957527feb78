// PSCI: what the calls return, and CPUs that go off and come up again.

#include "board.h"

static uint64_t lives[MAX_CPUS], errors, leave, up_again;

/** In its first life a CPU waits until it is to go off; in its second it brings up the next one that is off. */
void secondary_main(unsigned cpu)
{
	if (add_exclusive(&lives[cpu], 1) == 0) {
		arrived();
		while (__atomic_load_n(&leave, __ATOMIC_ACQUIRE) == 0)
			wfe();
		psci(PSCI_CPU_OFF, 0, 0, 0);
		add_exclusive(&errors, 1); // it has returned
	} else {
		if (psci(PSCI_AFFINITY_INFO, mpidr_of(cpu), 0, 0) != 0)
			add_exclusive(&errors, 1);
		add_exclusive(&up_again, 1);
		psci(PSCI_CPU_ON, mpidr_of(cpu + 1), (uint64_t)secondary_start, cpu + 1);
		sev();
	}
}

static void features(void)
{
	static const struct {
		const char *name;
		uint32_t function;
	} asked[] = {
		{ "VERSION", PSCI_VERSION },
		{ "CPU_OFF", PSCI_CPU_OFF },
		{ "CPU_OFF of 64 bits", PSCI_CPU_OFF | 0x40000000 },
		{ "CPU_ON", PSCI_CPU_ON & ~0x40000000u },
		{ "CPU_ON of 64 bits", PSCI_CPU_ON },
		{ "AFFINITY_INFO", PSCI_AFFINITY_INFO },
		{ "MIGRATE", PSCI_MIGRATE },
		{ "MIGRATE_INFO_TYPE", PSCI_MIGRATE_INFO_TYPE },
		{ "SYSTEM_OFF", PSCI_SYSTEM_OFF },
		{ "SYSTEM_RESET", PSCI_SYSTEM_RESET },
		{ "FEATURES", PSCI_FEATURES },
		{ "an unknown function", 0x84000fff },
	};

	for (unsigned i = 0; i < sizeof asked / sizeof asked[0]; i++)
		print("FEATURES of %s %ld\n", asked[i].name, psci(PSCI_FEATURES, asked[i].function, 0, 0));
}

static unsigned count_off(unsigned cpus)
{
	unsigned off = 0;

	for (unsigned cpu = 1; cpu < cpus; cpu++)
		off += psci(PSCI_AFFINITY_INFO, mpidr_of(cpu), 0, 0) == 1;
	return off;
}

/** All others go off at once; then CPU 1 comes up again, and each the next. */
static void off_and_on(unsigned cpus)
{
	unsigned twice = 0;

	print("off before %u\n", count_off(cpus));
	__atomic_store_n(&leave, 1, __ATOMIC_RELEASE);
	sev();
	while (count_off(cpus) != cpus - 1)
		relax();
	print("off %u\n", cpus - 1);
	print("CPU_ON of CPU 1 when it is off %ld\n",
	      psci(PSCI_CPU_ON, mpidr_of(1), (uint64_t)secondary_start, 1));
	while (__atomic_load_n(&up_again, __ATOMIC_ACQUIRE) != cpus - 1)
		wfe();
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		twice += lives[cpu] == 2;
	print("up again %u, off %u, errors %lu\n", twice, count_off(cpus), errors);
	print("CPU_ON of the last CPU again %ld\n",
	      psci(PSCI_CPU_ON, mpidr_of(cpus - 1), (uint64_t)secondary_start, cpus - 1));
}

int main(void)
{
	int64_t version = psci(PSCI_VERSION, 0, 0, 0);
	unsigned cpus;

	print("VERSION %ld.%ld\n", version >> 16, version & 0xffff);
	features();
	print("MIGRATE_INFO_TYPE %ld\n", psci(PSCI_MIGRATE_INFO_TYPE, 0, 0, 0));
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
		off_and_on(cpus);
	}
	return 0;
}
