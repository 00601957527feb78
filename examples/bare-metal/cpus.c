// All CPUs up by PSCI; each knows who it is; all count, by exclusives and by atomics.

#include "board.h"

#define TURNS 100

static uint64_t by_exclusives, by_atomics, by_add, mpidrs[MAX_CPUS];
static struct barrier done;
static unsigned cpus_up;

static void count(void)
{
	for (int turn = 0; turn < TURNS; turn++) {
		add_exclusive(&by_exclusives, 1);
		add_atomic(&by_atomics, 3);
		__atomic_fetch_add(&by_add, this_cpu() + 1, __ATOMIC_RELAXED);
	}
	barrier_wait(&done, __atomic_load_n(&cpus_up, __ATOMIC_ACQUIRE));
}

void secondary_main(unsigned cpu)
{
	mpidrs[cpu] = read_register(mpidr_el1);
	arrived();
	while (__atomic_load_n(&cpus_up, __ATOMIC_ACQUIRE) == 0)
		wfe();
	count();
}

int main(void)
{
	unsigned cpus = start_all();
	int wrong = 0;

	mpidrs[0] = read_register(mpidr_el1);
	__atomic_store_n(&cpus_up, cpus, __ATOMIC_RELEASE);
	sev();
	count();
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		wrong += (mpidrs[cpu] & 0xff00fffffful) != mpidr_of(cpu);
	print("%u CPUs up, %d with another MPIDR than expected; the last has %lx\n", cpus, wrong,
	      mpidrs[cpus - 1] & 0xff00fffffful);
	print("counted: %lu by exclusives, %lu by atomics, %lu by the compiler's\n", by_exclusives, by_atomics, by_add);
	return 0;
}
