// WFE, SEV, SEVL: a token goes round the CPUs, each sleeping until it is its turn; then the polling idiom with a monitor.

#include "board.h"

#define ROUNDS 5

static volatile unsigned turn, all;
static uint64_t passed, answered, flag;

static void pass(unsigned cpu)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		while (turn != round * all + cpu)
			wfe();
		passed += turn * (cpu + 1);
		__atomic_store_n(&turn, turn + 1, __ATOMIC_RELEASE);
		sev();
	}
}

/** As smp_cond_load_acquire() of Linux: the store that is waited for ends the WFE, without SEV. */
static uint64_t await_change(uint64_t *word, uint64_t old)
{
	uint64_t value;

	asm volatile("sevl" ::: "memory");
	do {
		asm volatile("wfe\n\tldaxr %0, [%1]" : "=r"(value) : "r"(word) : "memory");
	} while (value == old);
	asm volatile("clrex" ::: "memory");
	return value;
}

void secondary_main(unsigned cpu)
{
	arrived();
	while (all == 0)
		wfe();
	pass(cpu);
	add_exclusive(&answered, await_change(&flag, 0) * (cpu + 1));
}

int main(void)
{
	unsigned cpus = start_all();

	all = cpus;
	sev();
	pass(0);
	while (turn != ROUNDS * cpus)
		wfe();
	print("%u turns, sum %lu\n", turn, passed);
	__atomic_store_n(&flag, 7, __ATOMIC_RELEASE);
	while (__atomic_load_n(&answered, __ATOMIC_ACQUIRE) != 7ul * (cpus * (cpus + 1ul) / 2 - 1))
		relax();
	print("all have seen %lu: %lu\n", flag, answered);
	return 0;
}
